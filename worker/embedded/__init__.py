"""A real PostgreSQL and a real Redis out of wheels, shared by all commands of one home."""

from worker.embedded.errors import EmbeddedError
from worker.embedded.services import Services, embedded_services, running

__all__ = ["EmbeddedError", "Services", "embedded_services", "running"]
