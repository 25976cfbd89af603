"""Databases that hold the same of a site have the same digests, as has the receipt of a fresh import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.loading import layouts_of, load
from jobs.verifying.site import verify_site
from models.post_changes import update_post
from tests.conftest import BACKENDS, fresh_database
from tests.factories import SITE, posts_of, run_of, running, writer_for
from worker.resources import Resources, open_resources
from worker.run_documents import document_of
from worker.sample import write_sample
from worker.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from worker.embedded import Services


async def site_of(resources: Resources) -> dict[str, Any]:
    async with resources.database.reporting(fresh=True) as session:
        return dict((await verify_site(session, SITE))["entities"])


async def loaded(resources: Resources, dump: Path, batch_size: int) -> dict[str, Any]:
    """Load a dump and give the entities of the run's document."""
    context = await running(resources, batch_size=batch_size)
    await load(context, layouts_of([str(dump)], "auto"), SITE, writer_for(resources.database))
    return dict(document_of(await run_of(resources, context.run_id))["entities"])


async def test_a_dump_has_one_digest_in_every_database_and_in_its_receipt(
    services: Services, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    write_sample(tmp_path / "dump", users=40, posts=200, seed=4, dirty=True)
    found = {}
    for number, backend in enumerate(BACKENDS):
        folder = tmp_path / backend
        folder.mkdir()
        async with fresh_database(backend, request, folder) as url:
            settings = Settings(database_url=url, redis_url=services.redis_url, home=folder)
            async with open_resources(settings) as resources:
                entities = await loaded(resources, tmp_path / "dump", 50 + 30 * number)
                found[backend] = await site_of(resources)
        digests = {entity: said["digest"] for entity, said in entities.items()}
        assert {entity: said["digest"] for entity, said in found[backend].items()} == digests
        assert {entity: said["rows"] for entity, said in found[backend].items()} == {
            entity: said["inserted"] for entity, said in entities.items()
        }
    assert found["sqlite"] == found["postgresql"] == found["mariadb"]


async def test_any_change_is_another_digest_and_undoing_it_the_same_again(
    resources: Resources, tmp_path: Path
) -> None:
    write_sample(tmp_path / "dump", users=10, posts=30, seed=4, dirty=False)
    await loaded(resources, tmp_path / "dump", 10)
    before = await site_of(resources)
    post = next(iter((await posts_of(resources.database)).values()))
    digests = [before["posts"]["digest"]]
    for score in (post.score + 1, post.score):
        async with resources.database.writing.begin() as session:
            await update_post(session, post.id, {"score": score})
        after = await site_of(resources)
        assert (after["users"], after["tags"]) == (before["users"], before["tags"])
        digests.append(after["posts"]["digest"])
    assert digests[0] == digests[2] != digests[1]
