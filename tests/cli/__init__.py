"""Tests of the ``mycirrus`` command."""
