#!/usr/bin/env python3
"""Plants each fault of list.txt in a copy of one engine source and requires that a test fails.

run.py --source DIR --build DIR --compiler CXX --flags "..." --link "..." --unit OBJECTS --sim OBJECTS --libs LIBS
Only the changed file is compiled; it is linked before the engine's archive, whose own object of that
name is then not taken. The unit tests run first, then a limited number of seeds.
"""
import argparse
import concurrent.futures
import pathlib
import re
import shlex
import subprocess
import sys

RUNS = 6000


def faults(path):
    """(name, file, text to find, replacement) of each fault."""
    found = []
    for line in path.read_text().splitlines():
        if line.startswith("- ") or line == "-":
            found[-1][2].append(line[1:])
        elif line.startswith("+ ") or line == "+":
            found[-1][3].append(line[1:])
        elif line and not line.startswith("#"):
            name, file = (part.strip() for part in line.split("|"))
            found.append((name, file, [], []))
    return [(name, file, "\n".join(old), "\n".join(new)) for name, file, old, new in found]


def planted(source, old, new, name):
    """`source` with the fault in it. Sources and list are indented alike, but for the first blank."""
    if source.count(old[1:]) != 1:
        sys.exit(f"mutations: {name}: the text stands {source.count(old[1:])} times in the source, not once: {old}")
    return source.replace(old[1:], new[1:])


def verdict(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")
    except subprocess.TimeoutExpired:
        return "it does not end"
    if done.returncode == 0:
        return None
    said = re.findall(r"^(?:FAILED: |TEST CASE:\s+)(.*)$|Assertion .(.*). failed", done.stdout + done.stderr, re.M)
    return next((a or b for a, b in said), f"exit code {done.returncode}")


def try_fault(options, index, fault):
    name, file, old, new = fault
    source = (options.source / "src/engine" / file).read_text()
    place = options.build / f"fault{index}"
    place.mkdir(parents=True, exist_ok=True)
    (place / file).write_text(planted(source, old, new, name))
    compile_it = [options.compiler, *shlex.split(options.flags), "-w", "-c", str(place / file), "-o", str(place / "fault.o")]
    built = subprocess.run(compile_it, capture_output=True, text=True)
    if built.returncode != 0:
        return name, None, f"does not compile:\n{built.stderr}"
    for kind, objects, arguments in (("unit", options.unit, []), ("sim", options.sim, ["--runs", str(RUNS), "--quiet"])):
        program = place / kind
        link = [options.compiler, *shlex.split(options.link), str(place / "fault.o"), *objects.split(";"),
                *options.libs.split(";"), "-o", str(program)]
        linked = subprocess.run(link, capture_output=True, text=True)
        if linked.returncode != 0:
            return name, None, f"does not link:\n{linked.stderr}"
        why = verdict([str(program), *arguments])
        program.unlink()
        if why and not options.both:
            return name, kind, why
        if options.both:
            print(f"  [{kind}] {name}: {why or 'NOT CAUGHT'}", flush=True)
            if kind == "sim":
                return name, "both", why or ""
    return name, None, "no test noticed it"


def main():
    parser = argparse.ArgumentParser()
    for option in ("--source", "--build"):
        parser.add_argument(option, type=pathlib.Path, required=True)
    for option in ("--compiler", "--flags", "--link", "--unit", "--sim", "--libs"):
        parser.add_argument(option, required=True)
    parser.add_argument("--both", action="store_true", help="say for each fault what the other kind of test finds, too")
    options = parser.parse_args()
    listed = faults(pathlib.Path(__file__).with_name("list.txt"))
    survived = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        tries = [pool.submit(try_fault, options, index, fault) for index, fault in enumerate(listed)]
        for each in concurrent.futures.as_completed(tries):
            name, kind, why = each.result()
            survived += 0 if kind else 1
            print(f"{'caught by ' + kind if kind else 'SURVIVED':15} {name}: {why}", flush=True)
    print(f"{len(listed)} planted faults, {survived} survived")
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
