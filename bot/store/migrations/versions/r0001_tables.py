"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """From an empty database."""
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("permitted", sa.Boolean(), nullable=False),
        sa.Column("head_sha", sa.Text(), nullable=True),
        sa.Column("content_digest", sa.Text(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("comment_id", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sa.UniqueConstraint("comment_id", name="uq_audit_comment_id"),
    )
    op.create_index("ix_audit_repository_id_number", "audit", ["repository_id", "number"])
    op.create_table(
        "deliveries",
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("installation_id", BIG, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("sequence", name="pk_deliveries"),
        sa.UniqueConstraint("id", name="uq_deliveries_id"),
    )
    op.create_index("ix_deliveries_installation_id", "deliveries", ["installation_id"])
    op.create_index("ix_deliveries_state_sequence", "deliveries", ["state", "sequence"])
    op.create_table(
        "installations",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("suspended_at", MOMENT, nullable=True),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_installations"),
    )
    op.create_table(
        "orphaned_outcomes",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_orphaned_outcomes"),
    )
    op.create_table(
        "slots",
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("slot", name="pk_slots"),
    )
    op.create_table(
        "audit_reasons",
        sa.Column("audit_id", BIG, autoincrement=False, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["audit_id"], ["audit.id"], name="fk_audit_reasons_audit_id"),
        sa.PrimaryKeyConstraint("audit_id", name="pk_audit_reasons"),
    )
    op.create_index("ix_audit_reasons_repository_id", "audit_reasons", ["repository_id"])
    op.create_table(
        "repositories",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("installation_id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["installation_id"], ["installations.id"], name="fk_repositories_installation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_repositories"),
    )
    op.create_index("ix_repositories_installation_id", "repositories", ["installation_id"])
    op.create_table(
        "commands",
        sa.Column("comment_id", BIG, autoincrement=False, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("answer_id", BIG, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_commands_repository_id"),
        sa.PrimaryKeyConstraint("comment_id", name="pk_commands"),
    )
    op.create_index("ix_commands_repository_id", "commands", ["repository_id"])
    op.create_table(
        "comments",
        sa.Column("repository_id", BIG, autoincrement=False, nullable=False),
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("comment_id", BIG, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_comments_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "number", name="pk_comments"),
    )
    op.create_table(
        "lineages",
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("use_case", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_lineages_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_lineages"),
        sa.UniqueConstraint("repository_id", "name", name="uq_lineages_repository_id_name"),
    )
    op.create_table(
        "outcomes",
        sa.Column("repository_id", BIG, autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_outcomes_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "digest", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_digest", "outcomes", ["digest"])
    op.create_table(
        "runs",
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("installation_id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", BIG, nullable=True),
        sa.Column("head_sha", sa.Text(), nullable=False),
        sa.Column("base_ref", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("approved_sha", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("check_run_id", BIG, nullable=True),
        sa.Column("base_sha", sa.Text(), nullable=True),
        sa.Column("content_digest", sa.Text(), nullable=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("shown_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["installation_id"], ["installations.id"], name="fk_runs_installation_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_runs_repository_id"),
        sa.PrimaryKeyConstraint("sequence", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
    )
    op.create_index("ix_runs_check_run_id", "runs", ["check_run_id"])
    op.create_index("ix_runs_repository_id_head_sha", "runs", ["repository_id", "head_sha"])
    op.create_index("ix_runs_repository_id_number", "runs", ["repository_id", "number"])
    op.create_index("ix_runs_state", "runs", ["state"])
    op.create_table(
        "experiments",
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("run_sequence", BIG, nullable=False),
        sa.Column("lineage_id", BIG, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("passes", sa.Boolean(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=True),
        sa.Column("baseline_digest", sa.Text(), nullable=True),
        sa.Column("candidate_digest", sa.Text(), nullable=True),
        sa.Column("tests_digest", sa.Text(), nullable=True),
        sa.Column("cost_usd", sa.Text(), nullable=False),
        sa.Column("judge_cost_usd", sa.Text(), nullable=False),
        sa.Column("baseline_per_1000", sa.Text(), nullable=True),
        sa.Column("candidate_per_1000", sa.Text(), nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["lineage_id"], ["lineages.id"], name="fk_experiments_lineage_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_experiments_repository_id"),
        sa.ForeignKeyConstraint(["run_sequence"], ["runs.sequence"], name="fk_experiments_run_sequence"),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
    )
    op.create_index("ix_experiments_lineage_id", "experiments", ["lineage_id"])
    op.create_index("ix_experiments_repository_id", "experiments", ["repository_id"])
    op.create_index("ix_experiments_run_sequence", "experiments", ["run_sequence"])
    op.create_table(
        "prompt_versions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("lineage_id", BIG, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["lineage_id"], ["lineages.id"], name="fk_prompt_versions_lineage_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_prompt_versions_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_prompt_versions"),
        sa.UniqueConstraint("lineage_id", "digest", name="uq_prompt_versions_lineage_id_digest"),
    )
    op.create_index("ix_prompt_versions_repository_id", "prompt_versions", ["repository_id"])
    op.create_table(
        "test_set_snapshots",
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("lineage_id", BIG, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["lineage_id"], ["lineages.id"], name="fk_test_set_snapshots_lineage_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_test_set_snapshots_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_test_set_snapshots"),
        sa.UniqueConstraint("lineage_id", "digest", name="uq_test_set_snapshots_lineage_id_digest"),
    )
    op.create_index("ix_test_set_snapshots_repository_id", "test_set_snapshots", ["repository_id"])
    op.create_table(
        "verdicts",
        sa.Column("run_sequence", BIG, autoincrement=False, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("passes", sa.Boolean(), nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("cost_usd", sa.Text(), nullable=False),
        sa.Column("judge_cost_usd", sa.Text(), nullable=False),
        sa.Column("scorecard", sa.Text(), nullable=True),
        sa.Column("kept_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_verdicts_repository_id"),
        sa.ForeignKeyConstraint(["run_sequence"], ["runs.sequence"], name="fk_verdicts_run_sequence"),
        sa.PrimaryKeyConstraint("run_sequence", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_repository_id", "verdicts", ["repository_id"])
    op.create_table(
        "comparisons",
        sa.Column("experiment_id", BIG, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("slice", sa.Text(), nullable=True),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("baseline", sa.Float(), nullable=True),
        sa.Column("candidate", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("margin", sa.Float(), nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_comparisons_experiment_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_comparisons_repository_id"),
        sa.PrimaryKeyConstraint("experiment_id", "position", name="pk_comparisons"),
    )
    op.create_index("ix_comparisons_repository_id", "comparisons", ["repository_id"])
