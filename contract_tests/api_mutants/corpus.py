"""The cases of the suite's schemathesis run, to be sent to other stand-ins."""

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import pytest
from schemathesis import BaseSchema, Case, CheckResult, GenerationMode, HookContext, Response

from contract_tests.suite import test_schemathesis
from contract_tests.suite.complaints import Complaint
from contract_tests.suite.hooks import request_of
from contract_tests.suite.sdk_loop import Query
from mycirrus_contract.standin.adapters import Standin

FUZZED = 50  # cases of the fuzzing phase that each stand-in gets


@dataclass(frozen=True)
class Corpus:
    """Cases that were generated once; hooks of the schema see them."""

    schema: BaseSchema
    cases: list[Case[Any]]

    @property
    def valid_queries(self) -> list[Query]:
        return [dict(case.query) for case in self.cases if _is_valid(case)]

    def complaints(self, standin: Standin) -> list[Complaint]:
        """Send all cases to a stand-in, in order, and let every check look at the answers."""
        found = []
        for case in self.cases:
            case.operation.app = standin
            response, results = self._checked(case)
            found += [
                Complaint.of(result.name, _first_line(result), request_of(response.request))
                for result in results
                if result.failure is not None
            ]
        return found

    def _checked(self, case: Case[Any]) -> tuple[Response, list[CheckResult]]:
        taken: list[CheckResult] = []

        @self.schema.hook
        def after_validate(
            context: HookContext, case: Case[Any], response: Response, results: list[CheckResult]
        ) -> None:
            del context, case, response
            taken.extend(results)

        response = case.call()
        try:
            case.validate_response(response)
        except BaseExceptionGroup:
            pass  # what failed is among the results
        finally:
            self.schema.hooks.unregister(after_validate)
        return response, taken


def _is_valid(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE


def _is_fuzzed(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.phase.name.value == "fuzzing"


def _first_line(result: CheckResult) -> str:
    return str(result.failure.message if result.failure else "").partition("\n")[0]


def generate() -> Corpus:
    """Run the suite's schemathesis tests, and keep their cases.

    Raises:
        RuntimeError: The tests fail, so that nothing can be said about a mutant.
    """
    schema, cases = test_schemathesis.schema, list[Case[Any]]()

    @schema.hook
    def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
        del context, response
        cases.append(case)

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = pytest.main(["--assert=plain", "-p", "no:cacheprovider", test_schemathesis.__file__])
    schema.hooks.unregister(after_call)
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"the stand-in itself does not pass:\n{output.getvalue()}")
    fuzzed = [case for case in cases if _is_fuzzed(case)]
    others = [case for case in cases if not _is_fuzzed(case)]
    return Corpus(schema, others + fuzzed[:: len(fuzzed) // FUZZED])
