"""A campaign whose recording is made and inspected undisturbed, once."""

from pathlib import Path

import pytest

from darkscan.faults.torture import Campaign


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = Campaign(tmp_path_factory.mktemp("campaign"), seed=5)
    made.prepare()
    return made


@pytest.fixture(scope="session")
def recording(campaign: Campaign) -> Path:
    return campaign.folder / "scan.h5"


@pytest.fixture(scope="session")
def undisturbed(campaign: Campaign) -> Path:
    return campaign.folder / "undisturbed"
