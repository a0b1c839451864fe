"""The benchmark runs, and tells what it found in the shape that its readers know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import results
from tests.benchmarks.__main__ import main
from tests.benchmarks.report import BEGIN, END, lines_of, write_page
from tests.benchmarks.results import Machine, Row, Run, Sample
from tests.benchmarks.targets import verdicts

MACHINE = Machine("Linux", "a processor", 2, 8.0, {"Python": "3.11.7"})


def sample(p50: float) -> Sample:
    return Sample(100, 1.0, p50, 2 * p50, 0.01, 0.02, 40e6, 50e6, 1024.0)


def run_of(*rows: Row) -> Run:
    titles = {row.system: row.system for row in rows}
    return Run("2026-11-29 12:00 UTC", 3, 1.0, MACHINE, titles, {}, list(rows))


def row(work: str, system: str, *p50s: float) -> Row:
    return Row(work, "a title", "call", "", 1.0, system, [sample(each) for each in p50s])


@pytest.mark.slow
def test_a_run_keeps_each_system_at_each_work(tmp_path: Path) -> None:
    """The file that --json writes has a row, with all rounds, for each system at each work."""
    kept = tmp_path / "run.json"
    words = "--systems farcall,floor --only S1,S5,S6-items --rounds 2 --seconds 0.02"

    main([*words.split(), "--json", str(kept)])

    found = json.loads(kept.read_text("utf-8"))
    rows = found["run"]["rows"]
    assert [(each["work"], each["system"]) for each in rows] == [
        (work, system) for work in ("S1", "S5", "S6-items") for system in ("farcall", "floor")
    ]
    assert all(len(each["samples"]) == 2 and not each["failure"] for each in rows)
    assert all(each["p50_us"] > 0 and each["server_us"] > 0 for each in found["medians"])
    assert results.load(kept).rounds == 2


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    """A round in which the machine was slow weighs no more than any other."""
    run = run_of(row("S1", "farcall", 2.0, 20.0, 3.0), row("S1", "floor", 1.0, 10.0, 1.0))

    (found,) = verdicts(run.rows)

    assert found.reached == 2.0
    assert not found.is_met


def test_a_failed_system_has_a_line_that_says_why() -> None:
    """The others go on, and the table says what was missing."""
    failed = Row("S1", "a title", "call", "", 1.0, "npm", [], "it ended")

    assert list(lines_of(failed, row("S1", "farcall", 1.0))) == [
        "npm              failed: it ended"
    ]


def test_the_tables_of_a_page_are_written_between_its_markers(tmp_path: Path) -> None:
    """All else on the page stays, and a second run replaces the tables of the first."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")

    write_page(run_of(row("S1", "farcall", 1.0)), page)
    write_page(run_of(row("S2", "floor", 1.0)), page)

    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "### S2" in text
    assert "### S1" not in text
    assert "old" not in text


def test_an_unknown_work_is_refused_with_a_line_that_names_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback, and nothing is measured."""
    with pytest.raises(SystemExit, match="there is no work S99; there are S1, S2"):
        main(["--only", "S99"])


def test_the_growth_of_a_large_text_is_counted_by_the_byte() -> None:
    """Twice the bytes for twice the time is no growth; twice the time for a small text is."""
    small = [Row("S9-size", "", "call", "", size, "farcall") for size in (1000, 2000)]
    large = [Row("S9-size", "", "call", "", size, "farcall") for size in (40_000, 80_000)]
    for pair in (small, large):
        pair[0].samples.append(Sample(100, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0))
        pair[1].samples.append(Sample(100, 1.0, 1.0, 1.0, 2.0, 2.0, 0.0, 0.0, 0.0))

    assert [each.reached for each in verdicts(small)] == [2.0]
    assert [each.reached for each in verdicts(large)] == [1.0]


def test_a_target_is_missed_where_farcall_fails() -> None:
    """A system that fails has no figure, and has not reached anything."""
    failed = Row("S8", "a title", "call", "", 1.0, "farcall", [], "it ended")

    found = verdicts([failed, row("S8", "npm", 1.0)])

    assert {(each.reached, each.is_met, each.note) for each in found} == {(None, False, "it ended")}
