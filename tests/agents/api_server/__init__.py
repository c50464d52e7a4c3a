"""A small Kubernetes API server for tests and demonstrations: TLS, tokens, watches, Jobs that run local
processes, attach and exec over WebSockets, and faults on demand. Standard library only.

It keeps what arizuko-docker relies on, checked against the Kubernetes documentation; it is no Kubernetes.
"""
from .cluster import Cluster
from .server import ApiServer

__all__ = ["ApiServer", "Cluster"]
