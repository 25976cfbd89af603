"""What is kept: one file per table, its queries below it."""

from models.author_stats import AuthorStats, StaleAuthor
from models.base import Base
from models.database import Database, open_database
from models.former_row import FormerRow
from models.limit import Limit
from models.post import Post
from models.receipt import Receipt
from models.reject import Reject
from models.run import Run, State
from models.run_file import RunFile
from models.schedule import Schedule
from models.seen_row import SeenRow
from models.source_state import SourceState
from models.tag import Tag, post_tags
from models.tick import Tick
from models.token import Token, TokenScope
from models.user import User

__all__ = [
    "AuthorStats",
    "Base",
    "Database",
    "FormerRow",
    "Limit",
    "Post",
    "Receipt",
    "Reject",
    "Run",
    "RunFile",
    "Schedule",
    "SeenRow",
    "SourceState",
    "StaleAuthor",
    "State",
    "Tag",
    "Tick",
    "Token",
    "TokenScope",
    "User",
    "open_database",
    "post_tags",
]
