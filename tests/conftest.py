"""conftest - what all tests share.

RULES        tests/panel needs Postgres (DATABASE_URL, or the server that script/test keeps); the
             tests of tables/ and delivery/ need nothing but the code
"""
