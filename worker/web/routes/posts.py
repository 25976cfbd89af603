"""Posts, with their authors and tags."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import Field

from jobs.request_values import SiteName
from models.post import Post
from models.post_changes import create_post, delete_post, settle_post, update_post
from models.post_search import NEWEST_FIRST, PostFilter, post_by_id, post_by_key, search_posts
from worker.web.data_shapes import NewPost, PostChange, PostDocument, PostSummary
from worker.web.listing import CountedPage, Listing, paging_of, shown
from worker.web.problems import NotFoundError, problems
from worker.web.sessions import Afterwards, Reporting, Writing
from worker.web.values import ExternalId, Id64, Int32, Key, Kind, Moment, Part, TagName, example

router = APIRouter(prefix="/v1", tags=["posts"])

MOST_TAGS_ASKED = 20
REFERENCES = {"author_external_id", "parent_external_id"}
NEW_POST = {
    "site": "beer",
    "external_id": "4711",
    "author_external_id": "42",
    "title": "How is a headrace lined?",
    "content": "<p>With clay, or with boards?</p>",
    "tags": ["clay", "mills"],
}
NEW = Body(openapi_examples=example("A question", NEW_POST))
CHANGE = Body(openapi_examples=example("Other tags, a better score", {"tags": ["mills"], "score": 4}))


class PostListing(Listing):
    """Which posts. Titles are compared without case."""

    site: SiteName | None = None
    author_id: Id64 | None = None
    kind: Kind | None = None
    title_contains: Part | None = None
    min_score: Int32 | None = None
    max_score: Int32 | None = None
    since: Moment | None = Field(default=None, description="Created then or later.")
    until: Moment | None = Field(default=None, description="Created earlier.")
    tag: list[TagName] = Field(default=[], max_length=MOST_TAGS_ASKED, description="All of these tags.")
    any_tag: list[TagName] = Field(default=[], max_length=MOST_TAGS_ASKED, description="One of these tags.")


def document_of(post: Post | None) -> PostDocument:
    """Describe a post.

    Raises:
        NotFoundError: there is none.

    """
    if post is None:
        raise NotFoundError("There is no such post.")
    return PostDocument.of(post)


@router.get(
    "/posts", operation_id="searchPosts", summary="Find posts", response_model=CountedPage[PostSummary]
)
async def search(session: Reporting, asked: Annotated[PostListing, Query()]) -> dict[str, Any]:
    """List the posts that meet all conditions, the newest first, a page at a time."""
    conditions = asked.conditions()
    tags = {"all_tags": conditions.pop("tag"), "any_tags": conditions.pop("any_tag")}
    which = PostFilter(**conditions, **tags)
    page = await search_posts(session, which, paging_of(asked, NEWEST_FIRST))
    return shown(page, NEWEST_FIRST, PostSummary.of)


@router.post(
    "/posts",
    operation_id="createPost",
    summary="Add a post",
    status_code=HTTPStatus.CREATED,
    responses=problems(HTTPStatus.CONFLICT),
)
async def create(
    after: Afterwards, session: Writing, new: Annotated[NewPost, NEW], response: Response
) -> PostDocument:
    """Add a post with its tags; 409 if the site has one of that id.

    An author or a parent that the site does not have yet is linked when it comes.
    """
    values = new.model_dump(exclude_unset=True, exclude={"site", "external_id"})
    post = await create_post(session, new.site, new.external_id, values)  # type: ignore[arg-type]
    after.append(partial(settle_post, site=new.site, external_id=new.external_id))
    response.headers["Location"] = f"/v1/posts/{post.id}"
    return document_of(post)


@router.get(
    "/posts/{post_id}",
    operation_id="getPost",
    summary="Show a post",
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def show(session: Reporting, post_id: Key) -> PostDocument:
    """Show a post by Headrace's id."""
    return document_of(await post_by_id(session, post_id))


@router.get(
    "/sites/{site}/posts/{external_id:path}",
    operation_id="getPostOfSite",
    summary="Show a post of a site",
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def show_of_site(
    session: Reporting, site: Annotated[SiteName, Path()], external_id: Annotated[ExternalId, Path()]
) -> PostDocument:
    """Show a post by the site's own id."""
    return document_of(await post_by_key(session, site, external_id))


@router.patch(
    "/posts/{post_id}",
    operation_id="changePost",
    summary="Change a post",
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def change(
    after: Afterwards, session: Writing, post_id: Key, values: Annotated[PostChange, CHANGE]
) -> PostDocument:
    """Change what is given of a post; `tags` replaces all that it has."""
    given = values.model_dump(exclude_unset=True)
    changed = document_of(await update_post(session, post_id, given))  # type: ignore[arg-type]
    if REFERENCES & given.keys():
        after.append(partial(settle_post, site=changed.site, external_id=changed.external_id))
    return changed


@router.delete(
    "/posts/{post_id}",
    operation_id="deletePost",
    summary="Delete a post",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def delete(session: Writing, post_id: Key) -> None:
    """Delete a post. The posts below it stay."""
    if not await delete_post(session, post_id):
        raise NotFoundError("There is no such post.")
