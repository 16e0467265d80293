"""client - speaks to the API as a program does: JSON in, JSON out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.test import Client

PROBLEM = "application/problem+json"


@dataclass
class Api:
    """The API with one token; '' is none."""

    token: str = ""

    def __call__(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> HttpResponse:
        """The answer; path is below /api/v1/, names of headers have underscores for hyphens."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            names.setdefault("Authorization", f"Bearer {self.token}")
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        content_type = names.pop("Content-Type", "application/json")
        response = Client().generic(
            method, f"/api/v1/{path}", data, content_type=content_type, headers=names
        )
        if response.status_code >= 400:
            assert response["Content-Type"] == PROBLEM, response.content[:500]
            problem = response.json()
            assert problem["status"] == response.status_code
            assert set(problem) == {"type", "title", "status", "detail", "errors"}
        return response

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of a GET that works."""
        response = self("GET", path, **headers)
        assert response.status_code == 200, response.content
        return response.json()

    def add(self, path: str, body: Any, **headers: str) -> Any:
        """The JSON of a POST that works."""
        response = self("POST", path, body, **headers)
        assert response.status_code in (200, 201), response.content
        return response.json()


def fields_of(response: HttpResponse) -> list[str]:
    """The fields that a problem document names."""
    return [error["field"] for error in response.json()["errors"]]
