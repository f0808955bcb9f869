"""Every form of every operator is proved rightly or refused with a reason, as recorded."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import onnx
import pytest
from corpus import every_case, recorded
from document import DOCUMENT, THREADS, document
from judge import REFUSED, SUPPORTED, Outcome, judge

from zkprep.support.conditions import CONDITIONS
from zkprep.support.operators import FINE
from zkprep.support.operators import REFUSED as NEVER

CASES = {case.name: case for case in every_case()}
RECORDED = recorded()


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    forked_workers: None,
) -> Iterator[Callable[[str], Outcome]]:
    """The outcomes of the cases that this session asks for, worked on ahead of the tests."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = [
        str(test.callspec.params["name"])
        for test in tests
        if test.originalname == test_a_case_is_as_recorded.__name__
    ]
    with ThreadPoolExecutor(THREADS) as pool:
        futures: dict[str, Future[Outcome]] = {
            name: pool.submit(judge, CASES[name], tmp_path_factory.mktemp("case")) for name in asked
        }
        yield lambda name: futures[name].result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.ezkl
@pytest.mark.parametrize("name", CASES)
def test_a_case_is_as_recorded(name: str, outcomes: Callable[[str], Outcome]) -> None:
    found = outcomes(name)
    assert found.verdict in (SUPPORTED, REFUSED), found.reason
    assert found == RECORDED[name], "`make operators` records what changed"


def test_the_matrix_has_every_standard_operator() -> None:
    tried = {node.op_type for case in CASES.values() for node in case.build().graph.node} | {
        function.name for case in CASES.values() for function in case.build().functions
    }
    standard = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert tried >= {name for name in FINE if name in standard}
    assert tried >= set(CONDITIONS)
    assert standard <= tried | set(NEVER), "an operator is neither tried nor refused"


def test_no_case_has_two_meanings() -> None:
    names = [case.name for case in every_case()]
    assert len(names) == len(CASES) >= 150
    assert set(RECORDED) == set(CASES)


def test_no_operator_is_in_two_tables() -> None:
    tables = (set(FINE), set(CONDITIONS), set(NEVER))
    assert sum(len(table) for table in tables) == len(set().union(*tables))


def test_the_document_is_in_step() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(RECORDED), "run `make operators`"
