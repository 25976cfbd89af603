"""Users, and what belongs to one."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import Field

from jobs.request_values import SiteName
from models.post_search import NEWEST_FIRST, posts_of_user
from models.rankings import statistics_of
from models.user import User, user_by_id, user_by_key
from models.user_changes import create_user, delete_user, settle_user, update_user
from models.user_search import UserFilter, posts_per_author, search_users, user_order
from worker.web.data_shapes import (
    AuthorFigures,
    NewUser,
    PostCount,
    PostSummary,
    UserChange,
    UserDocument,
)
from worker.web.listing import CountedPage, Listing, paging_of, shown
from worker.web.problems import NotFoundError, problems
from worker.web.sessions import Afterwards, Reporting, Writing
from worker.web.values import Email, ExternalId, Int64, Key, Moment, Part, example

router = APIRouter(prefix="/v1", tags=["users"])

Row = TypeVar("Row")
BY_ID = user_order("id")
NEW = Body(openapi_examples=example("A user", {"site": "beer", "external_id": "42", "name": "Ada"}))
CHANGE = Body(openapi_examples=example("Another name", {"name": "Ada L."}))
ORDERING = {"order", "descending"}


class UserListing(Listing):
    """Which users, and in which order. Names and addresses are compared without case."""

    site: SiteName | None = None
    name_contains: Part | None = None
    name_starts: Part | None = None
    email: Email | None = None
    email_contains: Part | None = None
    min_reputation: Int64 | None = None
    max_reputation: Int64 | None = None
    created_since: Moment | None = None
    created_until: Moment | None = Field(default=None, description="Not included.")
    has_posts: bool | None = None
    order: Literal["id", "name", "reputation", "created_at"] = "id"
    descending: bool = False


class CountListing(Listing):
    """Of which users."""

    site: SiteName | None = None
    also_without: bool = Field(default=False, description="Also users who have no posts.")


def there(row: Row | None) -> Row:
    """Give a user.

    Raises:
        NotFoundError: there is none.

    """
    if row is None:
        raise NotFoundError("There is no such user.")
    return row


@router.get(
    "/users",
    operation_id="searchUsers",
    summary="Find users",
    response_model=CountedPage[UserDocument],
)
async def search(session: Reporting, asked: Annotated[UserListing, Query()]) -> dict[str, Any]:
    """List the users that meet all conditions, a page at a time."""
    order = user_order(asked.order, descending=asked.descending)
    conditions = {name: value for name, value in asked.conditions().items() if name not in ORDERING}
    page = await search_users(session, UserFilter(**conditions), paging_of(asked, order), order)
    return shown(page, order, UserDocument.model_validate)


@router.get(
    "/users/post-counts",
    operation_id="countPosts",
    summary="Count the posts of each user",
    response_model=CountedPage[PostCount],
)
async def count(session: Reporting, asked: Annotated[CountListing, Query()]) -> dict[str, Any]:
    """List users with the numbers of their posts, by id."""
    paging = paging_of(asked, BY_ID)
    page = await posts_per_author(session, asked.site, paging, also_without=asked.also_without)
    return shown(page, BY_ID, _counted)


def _counted(row: tuple[User, int]) -> PostCount:
    return PostCount(user=UserDocument.model_validate(row[0]), posts=row[1])


@router.post(
    "/users",
    operation_id="createUser",
    summary="Add a user",
    status_code=HTTPStatus.CREATED,
    response_model=UserDocument,
    responses=problems(HTTPStatus.CONFLICT),
)
async def create(
    after: Afterwards, session: Writing, new: Annotated[NewUser, NEW], response: Response
) -> User:
    """Add a user and link the posts that waited for them; 409 if the site has one of that id."""
    values = new.model_dump(exclude_unset=True, exclude={"site", "external_id"})
    user = await create_user(session, new.site, new.external_id, values)  # type: ignore[arg-type]
    after.append(partial(settle_user, site=new.site, external_id=new.external_id))
    response.headers["Location"] = f"/v1/users/{user.id}"
    return user


@router.get(
    "/users/{user_id}",
    operation_id="getUser",
    summary="Show a user",
    response_model=UserDocument,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def show(session: Reporting, user_id: Key) -> User:
    """Show a user by Headrace's id."""
    return there(await user_by_id(session, user_id))


@router.get(
    "/sites/{site}/users/{external_id:path}",
    operation_id="getUserOfSite",
    summary="Show a user of a site",
    response_model=UserDocument,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def show_of_site(
    session: Reporting, site: Annotated[SiteName, Path()], external_id: Annotated[ExternalId, Path()]
) -> User:
    """Show a user by the site's own id."""
    return there(await user_by_key(session, site, external_id))


@router.patch(
    "/users/{user_id}",
    operation_id="changeUser",
    summary="Change a user",
    response_model=UserDocument,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def change(session: Writing, user_id: Key, values: Annotated[UserChange, CHANGE]) -> User:
    """Change what is given of a user."""
    given = values.model_dump(exclude_unset=True)
    return there(await update_user(session, user_id, given))  # type: ignore[arg-type]


@router.delete(
    "/users/{user_id}",
    operation_id="deleteUser",
    summary="Delete a user",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def delete(session: Writing, user_id: Key) -> None:
    """Delete a user. Their posts stay, without an author and under the name they were shown with."""
    there(await delete_user(session, user_id) or None)


@router.get(
    "/users/{user_id}/posts",
    operation_id="listPostsOfUser",
    summary="List a user's posts",
    response_model=CountedPage[PostSummary],
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def posts(session: Reporting, user_id: Key, asked: Annotated[Listing, Query()]) -> dict[str, Any]:
    """List the posts of a user, the newest first."""
    user = there(await user_by_id(session, user_id))
    page = await posts_of_user(session, user, paging_of(asked, NEWEST_FIRST))
    return shown(page, NEWEST_FIRST, PostSummary.of)


@router.get(
    "/users/{user_id}/statistics",
    operation_id="getStatisticsOfUser",
    summary="Show a user's statistics",
    response_model=AuthorFigures,
    responses=problems(HTTPStatus.NOT_FOUND),
)
async def statistics(session: Reporting, user_id: Key) -> Any:
    """Show the statistics of a user as they are now."""
    figures = (await statistics_of(session, [user_id])).get(user_id)
    if figures is None:
        there(await user_by_id(session, user_id))
    return figures or {"author_id": user_id}
