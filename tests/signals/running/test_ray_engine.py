"""On a cluster of two nodes that the test starts."""

import pytest

from auralign.signals.ask import Request
from auralign.signals.running.plan import ClipFile
from auralign.signals.running.results import read_results
from auralign.signals.running.runner import run_signals
from auralign.types import ScoreStatus

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster(toy_package):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(toy_package))
        patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        nodes.add_node(num_cpus=1)
        patch.setenv("RAY_ADDRESS", nodes.address)
        yield nodes
        import ray

        ray.shutdown()
        nodes.shutdown()


@pytest.fixture
def run(cluster, toys, folder):
    def of(*requests, label=None):
        place = folder(a=0.1, b=0.2, c=0.3, d=0.4, e=0.5, f=0.6)
        clips = [
            ClipFile(p.stem, p, label=label if p.stem == "c" else None)
            for p in sorted(place.glob("*.wav"))
        ]
        run_signals(clips, requests, place / "s.jsonl", engine="ray")
        return list(read_results(place / "s.jsonl"))

    return of


def test_the_cluster_finds_what_one_process_finds(run, tmp_path):
    rows = run(Request("peak", {}), Request("rate", {}))
    assert len(rows) == len({(r.clip, r.signal) for r in rows}) == 12
    peaks = {r.clip: r.scores[0].value for r in rows if r.signal == "peak"}
    assert peaks == pytest.approx(
        {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "e": 0.5, "f": 0.6}, abs=1e-3
    )


def test_both_nodes_take_part(cluster, run):
    import ray

    rows = run(Request("node", {}))
    nodes = {r.scores[0].value for r in rows}
    assert len([n for n in ray.nodes() if n["Alive"]]) == 2
    assert len(nodes) == 2


def test_what_failed_once_is_asked_again(run, tmp_path):
    rows = run(Request("moody", {"log": str(tmp_path)}))
    assert [r.scores[0].value for r in rows] == [1.0] * 6


def test_a_process_that_is_killed_once_costs_nothing(run, tmp_path):
    rows = run(
        Request("peak", {}),
        Request("deadly", {"only_once": str(tmp_path / "killed")}),
        label="deadly",
    )
    assert (tmp_path / "killed").exists()
    assert len(rows) == 12
    assert {r.scores[0].status for r in rows} == {ScoreStatus.OK}


def test_what_keeps_dying_fails_alone(run):
    rows = run(Request("peak", {}), Request("deadly", {}), label="deadly")
    assert len(rows) == 12
    bad = [(r.clip, r.signal, r.scores[0].reason) for r in rows if r.scores[0].value is None]
    assert bad == [("c", "deadly", "the worker process died")]


def test_what_keeps_failing_says_why(run):
    rows = run(Request("fragile", {}), label="bad")
    bad = [(r.clip, r.scores[0].reason) for r in rows if r.scores[0].value is None]
    assert bad == [("c", "ValueError: cannot hear it")]


def test_a_signal_that_cannot_be_loaded_stops_the_run(run):
    from auralign.errors import AuralignError

    with pytest.raises(AuralignError, match=r"'broken' could not be loaded .*no such weights"):
        run(Request("broken", {}))
