"""Unknown people on both databases."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from identifier.enrolment import Enroller
from identifier.gallery.database import Database
from identifier.gallery.store import GalleryStore
from identifier.gallery.watcher import GalleryWatcher
from identifier.people import People
from identifier.unknowns.clusters import unknown_rules
from identifier.unknowns.store import Unknowns
from services.lifecycle.health import Health
from services.models.packs import get_pack
from tests.integration.identifier.unknowns.strangers import CropsInMemory


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()


@pytest.fixture
def crops() -> CropsInMemory:
    return CropsInMemory()


@pytest.fixture
def people(database: Database, enroller: Enroller) -> People:
    """The gallery in the same database."""
    store = GalleryStore(database)
    return People(store, GalleryWatcher(store, Health()), enroller)


@pytest.fixture
def unknowns(database: Database, crops: CropsInMemory, people: People) -> Unknowns:
    return make_unknowns(database, crops, people)


def make_unknowns(database: Database, crops: CropsInMemory, people: People) -> Unknowns:
    rule = unknown_rules(lambda pack: get_pack(pack).threshold, None)
    return Unknowns(database, rule, crops, people)
