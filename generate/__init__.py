"""Writes the files of this repository that follow from its code; no service needs it."""
