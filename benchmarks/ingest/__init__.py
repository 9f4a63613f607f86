"""Answers through `POST /v1/responses`, beside a bare echo and the plain way."""
