"""The pages: each knows which kind it is, each is in the index, and whatever they point to is there.

Looks at files only: needs no build, no root. scripts/lint runs it.
"""
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
KINDS = {"tutorial": "Tutorial", "how-to": "How-to", "reference": "Reference", "explanation": "Explanation"}
LINK = re.compile(r"\]\(([^()\s]+)\)")


def pages():
    return sorted(path for path in DOCS.rglob("*.md") if path != DOCS / "README.md")


def written():
    """Every page of the project, those beside the sources too."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"(?ms)^```.*?^```", "", page.read_text())
    found = []
    for heading in re.findall(r"(?m)^#+ (.+)$", prose):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.append(plain)
    return found


def test_a_page_lies_in_the_folder_of_its_kind_and_says_in_its_first_lines_for_whom_it_is():
    assert {path.parent.name for path in pages()} == KINDS.keys()
    for path in pages():
        lines = path.read_text().split("\n")
        assert lines[0].startswith("# ") and lines[1] == "", path
        assert re.match(rf"\*{KINDS[path.parent.name]}, for \S.*[.*]", lines[2]), f"{path}: {lines[2]}"


def test_the_index_names_every_page_once_below_its_kind():
    index = (DOCS / "README.md").read_text()
    for kind, title in KINDS.items():
        part = index.split(f"\n## {title}: ")[1].split("\n## ")[0]
        named = re.findall(r"\(([^.()\s]\S*?\.md)\)", part)
        assert sorted(named) == [f"{kind}/{path.name}" for path in pages() if path.parent.name == kind], kind


def test_every_link_leads_to_a_file_and_to_a_heading_that_is_there():
    for page in written():
        for target in LINK.findall(page.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            assert file.exists(), f"{page.relative_to(ROOT)}: {target}"
            assert not anchor or anchor in anchors(file), f"{page.relative_to(ROOT)}: {target}"


def test_every_page_that_sources_scripts_and_messages_name_is_there():
    listed = subprocess.run(["git", "grep", "-nIoE", "--untracked", r"(^|[^/[:alnum:]])docs/[A-Za-z0-9_./-]+\.(md|1)\b"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) > 50
    for line in listed.splitlines():
        where, _, name = line.rpartition("docs/")
        assert (DOCS / name).is_file(), f"{where}docs/{name}"


def test_the_glossary_explains_each_word_once():
    words = [word.strip() for row in re.findall(r"(?m)^\| ([^|]+) \| [^|]+ \|$", (DOCS / "reference/glossary.md").read_text())
             for word in row.split(", ") if word not in ("word", "not")]
    assert len(words) > 50 and len(words) == len(set(words)), [word for word in words if words.count(word) > 1]


def paths_in(page):
    """What a page names in backquotes and looks like a path of this tree."""
    found = set()
    for code in re.findall(r"`([^`\n]+)`", page.read_text()):
        for word in code.split():
            if re.fullmatch(r"(?:src|include|tests|docs|etc|k8s|scripts|bench|cmake|\.ci)/[\w./-]*\w", word) or \
                    re.fullmatch(r"[A-Z]+\.md|\.[a-z-]+\.yaml", word):
                found.add(word)
    return found


def test_whoever_contributes_finds_every_path_that_he_is_told_of():
    for name in ("CONTRIBUTING.md", "SECURITY.md", "docs/explanation/architecture.md"):
        named = paths_in(ROOT / name)
        assert len(named) > 8
        missing = [path for path in sorted(named) if not (ROOT / path).exists()]
        assert not missing, f"{name} names {missing}"


def test_the_architecture_says_of_twenty_decisions_where_each_is_taken():
    part = (DOCS / "explanation/architecture.md").read_text().split("## Where is it decided?")[1].split("\n## ")[0]
    rows = re.findall(r"(?m)^\| [^|]+\? \| (`[^|]+`) \|$", part)
    assert len(rows) >= 20 and len(set(rows)) == len(rows)
    assert [path for row in rows for path in re.findall(r"`([^`]+)`", row) if not (ROOT / path).exists()] == []


def test_the_picture_of_the_folders_is_what_they_include():
    done = subprocess.run([ROOT / "scripts/include-graph", "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
