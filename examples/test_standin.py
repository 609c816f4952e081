import pytest

from cirrus_ext import CalibrationLogItem, CirrusClient
from mycirrus_contract.pytest_plugin import MyCirrusStandin


def log_of_2022(url: str, key: str) -> list[CalibrationLogItem]:  # of your program
    with CirrusClient(key, base_url=url) as client:
        return client.calibration_log(
            ["QT123456"], start="2022-01-01T00:00:00Z", end="2023-01-01T00:00:00Z"
        )


def test_the_installation_is_in_the_log(mycirrus_standin: MyCirrusStandin) -> None:
    items = log_of_2022(mycirrus_standin.url, mycirrus_standin.key)

    assert "Installed and working" in {item.message for item in items}


@pytest.mark.mycirrus_standin("503-html@1", order="newest first")
def test_a_failure_that_passes_is_retried(mycirrus_standin: MyCirrusStandin) -> None:
    items = log_of_2022(mycirrus_standin.url, mycirrus_standin.key)

    assert items[0].time > items[-1].time
    assert len(mycirrus_standin.requests) == 2
