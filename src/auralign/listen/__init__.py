"""Listening tests on the web: a server that loses no answer and shows its work.

settings    `test.yaml`, read strictly
protocols   one module for each type of test: what it asks, what an answer says
design      what is presented to whom, in which order
store       tables and transactions, in SQLite or PostgreSQL
course      a sitting from consent to code, one durable commit for each answer
outcome     results for the organiser, screening, export, withdrawal
web         routes and pages; they translate, the rooms above decide
"""
