"""Tables of passwords, whose values stand in no change record."""

import re
from typing import Any

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations

# As 0004 made it. Besides the columns that a trigger names it masks one that depends on the row:
# the value of an entry in a table of passwords, and of a setting that holds passwords itself.
SECRET_COLUMN = """
CREATE FUNCTION waypost_secret_column(model text, image jsonb, open_tables bigint[]) RETURNS text
LANGUAGE sql IMMUTABLE AS $body$
    SELECT CASE
        -- A table that is gone counts as secret.
        WHEN model = 'entry' AND NOT (image ->> 'table_id')::bigint = ANY (open_tables) THEN 'value'
        WHEN model = 'parameter' AND image ->> 'name' LIKE '%\\_password\\_maps'
            AND image ->> 'value' ~ '(static|inline|randmap):' THEN 'value'
        WHEN model = 'service'
            AND image ->> 'overrides' ~ '_password_maps": "[^"]*(static|inline|randmap):'
            THEN 'overrides'
    END
$body$
"""
RECORD_CHANGES = """
CREATE OR REPLACE FUNCTION waypost_record_change() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    actor text := left(coalesce(nullif(current_setting('waypost.actor', true), ''), session_user), 150);
    source text := left(coalesce(nullif(current_setting('waypost.source', true), ''), 'sql'), 10);
    revision bigint := pg_current_xact_id()::text::bigint;
    masks jsonb := (SELECT coalesce(jsonb_object_agg(name, '***'), '{}') FROM unnest(TG_ARGV[1:]) AS name);
    open_tables bigint[] := ARRAY(SELECT id FROM panel_table WHERE TG_ARGV[0] = 'entry' AND kind <> 'passwords');
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO panel_change (model, row, operation, after, actor, source, revision)
        SELECT
            TG_ARGV[0], n.id, 'insert',
            to_jsonb(n) || masks || CASE WHEN secret IS NULL THEN '{}' ELSE jsonb_build_object(secret, '***') END,
            actor, source, revision
        FROM new_rows AS n, waypost_secret_column(TG_ARGV[0], to_jsonb(n), open_tables) AS secret;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO panel_change (model, row, operation, before, actor, source, revision)
        SELECT
            TG_ARGV[0], o.id, 'delete',
            to_jsonb(o) || masks || CASE WHEN secret IS NULL THEN '{}' ELSE jsonb_build_object(secret, '***') END,
            actor, source, revision
        FROM old_rows AS o, waypost_secret_column(TG_ARGV[0], to_jsonb(o), open_tables) AS secret;
    ELSIF TG_OP = 'UPDATE' THEN
        -- A row whose id was changed is one that went and one that came.
        INSERT INTO panel_change (model, row, operation, before, after, actor, source, revision)
        SELECT
            TG_ARGV[0],
            coalesce(n.id, o.id),
            CASE WHEN o.id IS NULL THEN 'insert' WHEN n.id IS NULL THEN 'delete' ELSE 'update' END,
            CASE WHEN o.id IS NOT NULL THEN to_jsonb(o) || masks
                || CASE WHEN secret IS NULL THEN '{}' ELSE jsonb_build_object(secret, '***') END END,
            CASE WHEN n.id IS NOT NULL THEN to_jsonb(n) || masks
                || CASE WHEN secret IS NULL THEN '{}' ELSE jsonb_build_object(secret, '***') END
                || (
                SELECT coalesce(jsonb_object_agg(name, '*** (changed)'), '{}')
                FROM unnest(TG_ARGV[1:] || secret) AS name
                WHERE o.id IS NOT NULL AND to_jsonb(o) -> name IS DISTINCT FROM to_jsonb(n) -> name
            ) END,
            actor, source, revision
        FROM old_rows AS o FULL JOIN new_rows AS n ON n.id = o.id
        CROSS JOIN LATERAL coalesce(
            waypost_secret_column(TG_ARGV[0], to_jsonb(o), open_tables),
            waypost_secret_column(TG_ARGV[0], to_jsonb(n), open_tables)
        ) AS secret
        WHERE to_jsonb(o) IS DISTINCT FROM to_jsonb(n)  -- else it was written, but not changed
        ORDER BY coalesce(n.id, o.id);
    ELSE
        EXECUTE format(
            'INSERT INTO panel_change (model, row, operation, before, actor, source, revision) '
            'SELECT $1, t.id, ''delete'', to_jsonb(t) || $2 '
            '|| CASE WHEN secret IS NULL THEN ''{}'' ELSE jsonb_build_object(secret, ''***'') END, $3, $4, $5 '
            'FROM %I.%I AS t, waypost_secret_column($1, to_jsonb(t), $6) AS secret',
            TG_TABLE_SCHEMA, TG_TABLE_NAME
        ) USING TG_ARGV[0], masks, actor, source, revision, open_tables;
    END IF;
    RETURN NULL;
END;
$body$
"""
# What was recorded before of settings that hold passwords themselves.
MASK_SETTINGS = """
UPDATE panel_change SET
    before = before || CASE WHEN waypost_secret_column(model, before, NULL) IS NULL THEN '{}'
        ELSE jsonb_build_object(waypost_secret_column(model, before, NULL), '***') END,
    after = after || CASE WHEN waypost_secret_column(model, after, NULL) IS NULL THEN '{}'
        ELSE jsonb_build_object(waypost_secret_column(model, after, NULL), '***') END
WHERE model IN ('parameter', 'service')
"""
PASSWORD_MAPS = ("smtp_sasl_password_maps", "lmtp_sasl_password_maps")


def turn(apps: Any, schema_editor: object) -> None:
    """Tables of text that password parameters name become tables of passwords.

    The trigger on the kind masks what was recorded of their entries.
    """
    table, parameter = apps.get_model("panel", "Table"), apps.get_model("panel", "Parameter")
    texts = list(
        parameter.objects.filter(name__in=PASSWORD_MAPS).values_list("value", flat=True)
    )
    for overrides in apps.get_model("panel", "Service").objects.values_list("overrides", flat=True):
        texts += [str(overrides[name]) for name in PASSWORD_MAPS if name in overrides]
    names = {item.rpartition(":")[2] for text in texts for item in re.split(r"[\s,{}]+", text)}
    table.objects.filter(kind="text", name__in=names).update(kind="passwords")


class Migration(migrations.Migration):

    dependencies = [
        ('panel', '0005_domain_aliases'),
    ]

    operations = [
        migrations.RunSQL(SECRET_COLUMN, "DROP FUNCTION waypost_secret_column(text, jsonb, bigint[])"),
        migrations.RunSQL(RECORD_CHANGES, migrations.RunSQL.noop),
        migrations.RunSQL(MASK_SETTINGS, migrations.RunSQL.noop),
        pgtrigger.migrations.AddTrigger(
            model_name='table',
            trigger=pgtrigger.compiler.Trigger(name='mask_values', sql=pgtrigger.compiler.UpsertTriggerSql(func='\n    IF NEW.kind = \'passwords\' AND OLD.kind <> NEW.kind THEN\n        UPDATE panel_change SET\n            before = before || \'{"value": "***"}\',\n            after = after || jsonb_build_object(\'value\', CASE\n                WHEN before ->> \'value\' <> after ->> \'value\' THEN \'*** (changed)\' ELSE \'***\' END)\n        WHERE model = \'entry\' AND coalesce(after, before) ->> \'table_id\' = NEW.id::text;\n    END IF;\n    RETURN NULL;\n', hash='437f1243b628cfe5c17696798c1a0d303fac7d2f', operation='UPDATE OF "kind"', pgid='pgtrigger_mask_values_8302a', table='panel_table', when='AFTER')),
        ),
        migrations.RunPython(turn, migrations.RunPython.noop),
    ]
