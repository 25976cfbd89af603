"""The documents of users, posts, tags and authors, as OpenAPI shows them."""

from datetime import UTC, datetime
from functools import partial
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from jobs.request_values import SiteName
from models.post import Post
from worker.web.values import Content, Email, ExternalId, Int32, Int64, Kind, Moment, Name, TagName, Title

MOST_TAGS = 100


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserChange(_Body):
    """What to change of a user; what is left out stays."""

    name: Name | None = Field(default=None, examples=["Ada"])
    email: Email | None = Field(default=None, examples=["ada@example.com"])
    reputation: Int64 = Field(default=0, examples=[101])
    created_at: Moment | None = Field(default=None, examples=["2026-03-29T09:14:00Z"])


class NewUser(UserChange):
    """A user of a site, by the site's own id."""

    site: SiteName = Field(examples=["beer"])
    external_id: ExternalId = Field(examples=["42"])


class UserDocument(BaseModel):
    """A user."""

    model_config = ConfigDict(from_attributes=True)
    id: int = Field(examples=[7])
    site: str = Field(examples=["beer"])
    external_id: str = Field(examples=["42"])
    name: str | None = Field(examples=["Ada"])
    email: str | None = Field(examples=["ada@example.com"])
    reputation: int = Field(examples=[101])
    created_at: datetime | None


class PostCount(BaseModel):
    """A user with the number of their posts."""

    user: UserDocument
    posts: int = Field(examples=[3])


class PostChange(_Body):
    """What to change of a post; what is left out stays. Author and parent are named by the site's ids."""

    author_external_id: ExternalId | None = Field(default=None, examples=["42"])
    author_name: Name | None = Field(default=None, examples=["Ada"])
    parent_external_id: ExternalId | None = Field(default=None, examples=[None])
    kind: Kind = Field(default="post", examples=["question"])
    title: Title | None = Field(default=None, examples=["How is a headrace lined?"])
    content: Content | None = Field(default=None, examples=["<p>With clay, or with boards?</p>"])
    score: Int32 = Field(default=0, examples=[3])
    created_at: Moment = Field(default_factory=partial(datetime.now, UTC), examples=["2026-03-29T09:14:00Z"])
    tags: list[TagName] = Field(default=[], max_length=MOST_TAGS, examples=[["clay", "mills"]])


class NewPost(PostChange):
    """A post of a site, by the site's own id; of now, unless `created_at` is given."""

    site: SiteName = Field(examples=["beer"])
    external_id: ExternalId = Field(examples=["4711"])


class PostAuthor(BaseModel):
    """Who wrote a post."""

    model_config = ConfigDict(from_attributes=True)
    id: int = Field(examples=[7])
    external_id: str = Field(examples=["42"])
    name: str | None = Field(examples=["Ada"])


class PostSummary(BaseModel):
    """A post without its content; `author` is null where the user is not there (yet, or any more)."""

    id: int = Field(examples=[12])
    site: str = Field(examples=["beer"])
    external_id: str = Field(examples=["4711"])
    author: PostAuthor | None
    author_external_id: str | None = Field(examples=["42"])
    author_name: str | None = Field(examples=["Ada"])
    parent_id: int | None = Field(examples=[None])
    parent_external_id: str | None = Field(examples=[None])
    kind: str = Field(examples=["question"])
    title: str | None = Field(examples=["How is a headrace lined?"])
    score: int = Field(examples=[3])
    word_count: int = Field(examples=[6])
    created_at: datetime
    tags: list[str] = Field(examples=[["clay", "mills"]])

    @classmethod
    def of(cls, post: Post) -> Self:
        """Describe a post whose author and tags are loaded."""
        names = cls.model_fields.keys() - {"author", "tags"}
        author = PostAuthor.model_validate(post.author) if post.author else None
        values = {name: getattr(post, name) for name in names}
        return cls(**values, author=author, tags=[tag.name for tag in post.tags])


class PostDocument(PostSummary):
    """A post."""

    content: str | None = Field(examples=["<p>With clay, or with boards?</p>"])


class AuthorFigures(BaseModel):
    """The statistics of an author over all posts, exact at any time; those of no posts are null."""

    author_id: int = Field(examples=[7])
    post_count: int = Field(default=0, examples=[3])
    total_score: int = Field(default=0, examples=[9])
    mean_score: float | None = Field(default=None, examples=[3.0])
    max_score: int | None = Field(default=None, examples=[5])
    h_index: int = Field(default=0, examples=[2])
    word_count: int = Field(default=0, examples=[412])
    active_days: int = Field(default=0, examples=[3])
    first_post_at: datetime | None = None
    last_post_at: datetime | None = None
    computed_at: datetime | None = None


class RankedAuthor(AuthorFigures):
    """An author with the place among the others; authors who tie share a rank."""

    rank: int = Field(examples=[1], description="One more than the number of authors who are better.")
    dense_rank: int = Field(examples=[1], description="Without gaps after ties.")
    site: str = Field(examples=["beer"])
    external_id: str = Field(examples=["42"])
    name: str | None = Field(examples=["Ada"])


class RankedAuthors(BaseModel):
    """Authors by rank."""

    items: list[RankedAuthor]


class TagCount(BaseModel):
    """A tag and in how many posts it is."""

    name: str = Field(examples=["clay"])
    posts: int = Field(examples=[12])


class TagCounts(BaseModel):
    """Tags, the most used first."""

    items: list[TagCount]
