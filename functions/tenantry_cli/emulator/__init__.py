"""A Supabase project on this machine, without Docker.

PostgreSQL, PostgREST, Auth, the functions and a gateway are child processes.
"""
