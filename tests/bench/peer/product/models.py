"""The three tables as Django models, without policies, grants and triggers."""

import uuid

from django.db import models


class Setting(models.Model):
    key = models.CharField(primary_key=True, max_length=200)
    value = models.JSONField()
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.UUIDField(null=True)

    class Meta:
        db_table = "settings"


class User(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.TextField(null=True)
    display_name = models.TextField(null=True)
    role = models.TextField(default="member")
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "users"


class AuditLog(models.Model):
    id = models.BigAutoField(primary_key=True)
    occurred_at = models.DateTimeField(auto_now_add=True)
    actor_id = models.UUIDField(null=True)
    actor_role = models.TextField()
    action = models.TextField()
    table_name = models.TextField()
    record_id = models.JSONField(null=True)
    old_values = models.JSONField(null=True)
    new_values = models.JSONField(null=True)

    class Meta:
        db_table = "audit_log"
