-- +goose Up
-- create "locations" table
CREATE TABLE "locations" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "description" character varying NOT NULL DEFAULT '', PRIMARY KEY ("id"));
-- create index "location_created_at" to table: "locations"
CREATE INDEX "location_created_at" ON "locations" ("created_at");
-- create index "locations_name_key" to table: "locations"
CREATE UNIQUE INDEX "locations_name_key" ON "locations" ("name");
-- create "settings" table
CREATE TABLE "settings" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "key" character varying NOT NULL, "value" jsonb NOT NULL, PRIMARY KEY ("id"));
-- create index "setting_created_at" to table: "settings"
CREATE INDEX "setting_created_at" ON "settings" ("created_at");
-- create index "settings_key_key" to table: "settings"
CREATE UNIQUE INDEX "settings_key_key" ON "settings" ("key");
-- create "outboxes" table
CREATE TABLE "outboxes" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "topic" character varying NOT NULL, "payload" jsonb NOT NULL, "attempts" bigint NOT NULL DEFAULT 0, "available_at" timestamptz NOT NULL, "done_at" timestamptz NULL, "last_error" character varying NULL, PRIMARY KEY ("id"));
-- create index "outbox_created_at" to table: "outboxes"
CREATE INDEX "outbox_created_at" ON "outboxes" ("created_at");
-- create index "outbox_done_at_available_at" to table: "outboxes"
CREATE INDEX "outbox_done_at_available_at" ON "outboxes" ("done_at", "available_at");
-- create index "outbox_topic" to table: "outboxes"
CREATE INDEX "outbox_topic" ON "outboxes" ("topic");
-- create "nodes" table
CREATE TABLE "nodes" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "public_address" character varying NOT NULL, "memory_limit" bigint NOT NULL, "cpu_limit" bigint NOT NULL, "disk_limit" bigint NOT NULL, "overcommit" double precision NOT NULL DEFAULT 1, "labels" jsonb NOT NULL, "maintenance" boolean NOT NULL DEFAULT false, "public_key" bytea NULL, "online" boolean NOT NULL DEFAULT false, "last_seen_at" timestamptz NULL, "agent_version" character varying NOT NULL DEFAULT '', "link_instance" character varying NOT NULL DEFAULT '', "link_session" character varying NOT NULL DEFAULT '', "link_epoch" bigint NOT NULL DEFAULT 0, "event_epoch" character varying NOT NULL DEFAULT '', "event_seq" bigint NOT NULL DEFAULT 0, "os" character varying NOT NULL DEFAULT '', "arch" character varying NOT NULL DEFAULT '', "kernel" character varying NOT NULL DEFAULT '', "cpu_count" bigint NOT NULL DEFAULT 0, "memory_total" bigint NOT NULL DEFAULT 0, "disk_total" bigint NOT NULL DEFAULT 0, "runtime" character varying NOT NULL DEFAULT '', "cpu_percent" double precision NOT NULL DEFAULT 0, "memory_bytes" bigint NOT NULL DEFAULT 0, "disk_bytes" bigint NOT NULL DEFAULT 0, "network_rx_bytes" bigint NOT NULL DEFAULT 0, "network_tx_bytes" bigint NOT NULL DEFAULT 0, "usage_at" timestamptz NULL, "location_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "nodes_locations_nodes" FOREIGN KEY ("location_id") REFERENCES "locations" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION);
-- create index "node_created_at" to table: "nodes"
CREATE INDEX "node_created_at" ON "nodes" ("created_at");
-- create index "node_location_id" to table: "nodes"
CREATE INDEX "node_location_id" ON "nodes" ("location_id");
-- create index "node_online" to table: "nodes"
CREATE INDEX "node_online" ON "nodes" ("online");
-- create index "nodes_name_key" to table: "nodes"
CREATE UNIQUE INDEX "nodes_name_key" ON "nodes" ("name");
-- create "templates" table
CREATE TABLE "templates" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "slug" character varying NULL, "description" character varying NOT NULL DEFAULT '', "author" character varying NOT NULL DEFAULT '', "builtin" boolean NOT NULL DEFAULT false, "images" jsonb NOT NULL, "default_image" character varying NOT NULL DEFAULT '', "startup" character varying NOT NULL DEFAULT '', "startup_argv" jsonb NOT NULL, "variables" jsonb NOT NULL, "install_image" character varying NOT NULL DEFAULT '', "install_script" character varying NOT NULL DEFAULT '', "install_entrypoint" character varying NOT NULL DEFAULT '', "install_timeout" bigint NOT NULL DEFAULT 1800, "stop_command" character varying NOT NULL DEFAULT '', "stop_signal" character varying NOT NULL DEFAULT 'SIGTERM', "stop_grace" bigint NOT NULL DEFAULT 30, "ready_patterns" jsonb NOT NULL, "start_timeout" bigint NOT NULL DEFAULT 300, "crash_policy" character varying NOT NULL DEFAULT 'ON_FAILURE', "tty" boolean NOT NULL DEFAULT false, "memory" bigint NOT NULL DEFAULT 0, "cpu" bigint NOT NULL DEFAULT 0, "disk" bigint NOT NULL DEFAULT 0, "swap" bigint NOT NULL DEFAULT 0, "ports_wanted" bigint NOT NULL DEFAULT 0, "config_files" jsonb NULL, "denied_files" jsonb NOT NULL, "features" jsonb NOT NULL, PRIMARY KEY ("id"));
-- create index "template_created_at" to table: "templates"
CREATE INDEX "template_created_at" ON "templates" ("created_at");
-- create index "template_name" to table: "templates"
CREATE INDEX "template_name" ON "templates" ("name");
-- create index "template_slug" to table: "templates"
CREATE INDEX "template_slug" ON "templates" ("slug");
-- create "users" table
CREATE TABLE "users" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "email" character varying NOT NULL, "username" character varying NOT NULL, "username_key" character varying NOT NULL, "password_hash" character varying NOT NULL, "language" character varying NOT NULL DEFAULT 'en', "time_zone" character varying NOT NULL DEFAULT 'UTC', "suspended" boolean NOT NULL DEFAULT false, "suspended_at" timestamptz NULL, "totp_secret" character varying NULL, "totp_enabled" boolean NOT NULL DEFAULT false, "totp_step" bigint NOT NULL DEFAULT 0, "last_login_at" timestamptz NULL, "token_version" bigint NOT NULL DEFAULT 0, PRIMARY KEY ("id"));
-- create index "user_created_at" to table: "users"
CREATE INDEX "user_created_at" ON "users" ("created_at");
-- create index "user_username" to table: "users"
CREATE INDEX "user_username" ON "users" ("username");
-- create index "users_email_key" to table: "users"
CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");
-- create index "users_username_key_key" to table: "users"
CREATE UNIQUE INDEX "users_username_key_key" ON "users" ("username_key");
-- create "servers" table
CREATE TABLE "servers" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "description" character varying NOT NULL DEFAULT '', "image" character varying NOT NULL DEFAULT '', "memory" bigint NOT NULL DEFAULT 0, "cpu" bigint NOT NULL DEFAULT 0, "disk" bigint NOT NULL DEFAULT 0, "swap" bigint NOT NULL DEFAULT 0, "environment" jsonb NOT NULL, "network_mode" character varying NOT NULL DEFAULT 'BRIDGE', "network" character varying NULL, "crash_policy" character varying NOT NULL DEFAULT 'ON_FAILURE', "crash_max_restarts" bigint NOT NULL DEFAULT 3, "crash_window" bigint NOT NULL DEFAULT 600, "console_rate_lines" bigint NULL, "console_rate_bytes" bigint NULL, "backup_limit" bigint NULL, "backup_bytes_limit" bigint NULL, "suspended" boolean NOT NULL DEFAULT false, "power" character varying NOT NULL DEFAULT 'STOP', "generation" bigint NOT NULL DEFAULT 1, "run" bigint NOT NULL DEFAULT 0, "pending_restart" boolean NOT NULL DEFAULT false, "deleted_at" timestamptz NULL, "keep_files" boolean NOT NULL DEFAULT false, "state" character varying NOT NULL DEFAULT 'STOPPED', "state_reason" character varying NOT NULL DEFAULT '', "state_changed_at" timestamptz NOT NULL, "observed_generation" bigint NOT NULL DEFAULT 0, "exit_code" bigint NULL, "oom_killed" boolean NOT NULL DEFAULT false, "crash_count" bigint NOT NULL DEFAULT 0, "last_lines" jsonb NOT NULL, "installed_at" timestamptz NULL, "console_seq" bigint NOT NULL DEFAULT 0, "node_id" character varying NOT NULL, "template_id" character varying NOT NULL, "owner_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "servers_nodes_servers" FOREIGN KEY ("node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION, CONSTRAINT "servers_templates_servers" FOREIGN KEY ("template_id") REFERENCES "templates" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION, CONSTRAINT "servers_users_servers" FOREIGN KEY ("owner_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION);
-- create index "server_created_at" to table: "servers"
CREATE INDEX "server_created_at" ON "servers" ("created_at");
-- create index "server_deleted_at" to table: "servers"
CREATE INDEX "server_deleted_at" ON "servers" ("deleted_at");
-- create index "server_name" to table: "servers"
CREATE INDEX "server_name" ON "servers" ("name");
-- create index "server_node_id" to table: "servers"
CREATE INDEX "server_node_id" ON "servers" ("node_id");
-- create index "server_owner_id" to table: "servers"
CREATE INDEX "server_owner_id" ON "servers" ("owner_id");
-- create index "server_state" to table: "servers"
CREATE INDEX "server_state" ON "servers" ("state");
-- create index "server_template_id" to table: "servers"
CREATE INDEX "server_template_id" ON "servers" ("template_id");
-- create "alert_rules" table
CREATE TABLE "alert_rules" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "type" character varying NOT NULL, "severity" character varying NOT NULL DEFAULT 'WARNING', "metric" character varying NULL, "operator" character varying NULL, "value" double precision NULL, "for_seconds" bigint NOT NULL DEFAULT 0, "enabled" boolean NOT NULL DEFAULT true, "node_id" character varying NULL, "server_id" character varying NULL, "created_by_id" character varying NULL, PRIMARY KEY ("id"), CONSTRAINT "alert_rules_nodes_node" FOREIGN KEY ("node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "alert_rules_servers_server" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "alert_rules_users_created_by" FOREIGN KEY ("created_by_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "alertrule_created_at" to table: "alert_rules"
CREATE INDEX "alertrule_created_at" ON "alert_rules" ("created_at");
-- create index "alertrule_created_by_id" to table: "alert_rules"
CREATE INDEX "alertrule_created_by_id" ON "alert_rules" ("created_by_id");
-- create index "alertrule_enabled" to table: "alert_rules"
CREATE INDEX "alertrule_enabled" ON "alert_rules" ("enabled");
-- create index "alertrule_name" to table: "alert_rules"
CREATE INDEX "alertrule_name" ON "alert_rules" ("name");
-- create index "alertrule_node_id" to table: "alert_rules"
CREATE INDEX "alertrule_node_id" ON "alert_rules" ("node_id");
-- create index "alertrule_server_id" to table: "alert_rules"
CREATE INDEX "alertrule_server_id" ON "alert_rules" ("server_id");
-- create "webhooks" table
CREATE TABLE "webhooks" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "url" character varying NOT NULL, "events" jsonb NOT NULL, "secret" bytea NULL, "format" character varying NOT NULL DEFAULT 'JSON', "enabled" boolean NOT NULL DEFAULT true, "owner_id" character varying NULL, PRIMARY KEY ("id"), CONSTRAINT "webhooks_users_owner" FOREIGN KEY ("owner_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "webhook_created_at" to table: "webhooks"
CREATE INDEX "webhook_created_at" ON "webhooks" ("created_at");
-- create index "webhook_enabled" to table: "webhooks"
CREATE INDEX "webhook_enabled" ON "webhooks" ("enabled");
-- create index "webhook_name" to table: "webhooks"
CREATE INDEX "webhook_name" ON "webhooks" ("name");
-- create index "webhook_owner_id" to table: "webhooks"
CREATE INDEX "webhook_owner_id" ON "webhooks" ("owner_id");
-- create "alert_rule_webhooks" table
CREATE TABLE "alert_rule_webhooks" ("alert_rule_id" character varying NOT NULL, "webhook_id" character varying NOT NULL, PRIMARY KEY ("alert_rule_id", "webhook_id"), CONSTRAINT "alert_rule_webhooks_alert_rule_id" FOREIGN KEY ("alert_rule_id") REFERENCES "alert_rules" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "alert_rule_webhooks_webhook_id" FOREIGN KEY ("webhook_id") REFERENCES "webhooks" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create "alerts" table
CREATE TABLE "alerts" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "type" character varying NOT NULL, "severity" character varying NOT NULL, "title" character varying NOT NULL, "message" character varying NOT NULL DEFAULT '', "resolved" boolean NOT NULL DEFAULT false, "resolved_at" timestamptz NULL, "last_seen_at" timestamptz NOT NULL, "node_id" character varying NULL, "resolved_by_id" character varying NULL, "rule_id" character varying NULL, "server_id" character varying NULL, PRIMARY KEY ("id"), CONSTRAINT "alerts_alert_rules_alerts" FOREIGN KEY ("rule_id") REFERENCES "alert_rules" ("id") ON UPDATE NO ACTION ON DELETE SET NULL, CONSTRAINT "alerts_nodes_node" FOREIGN KEY ("node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "alerts_servers_alerts" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "alerts_users_resolved_by" FOREIGN KEY ("resolved_by_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "alert_created_at" to table: "alerts"
CREATE INDEX "alert_created_at" ON "alerts" ("created_at");
-- create index "alert_last_seen_at" to table: "alerts"
CREATE INDEX "alert_last_seen_at" ON "alerts" ("last_seen_at");
-- create index "alert_node_id_resolved" to table: "alerts"
CREATE INDEX "alert_node_id_resolved" ON "alerts" ("node_id", "resolved");
-- create index "alert_resolved_by_id" to table: "alerts"
CREATE INDEX "alert_resolved_by_id" ON "alerts" ("resolved_by_id");
-- create index "alert_resolved_created_at" to table: "alerts"
CREATE INDEX "alert_resolved_created_at" ON "alerts" ("resolved", "created_at");
-- create index "alert_rule_id" to table: "alerts"
CREATE INDEX "alert_rule_id" ON "alerts" ("rule_id");
-- create index "alert_server_id_resolved" to table: "alerts"
CREATE INDEX "alert_server_id_resolved" ON "alerts" ("server_id", "resolved");
-- create index "alert_severity" to table: "alerts"
CREATE INDEX "alert_severity" ON "alerts" ("severity");
-- create index "alert_type" to table: "alerts"
CREATE INDEX "alert_type" ON "alerts" ("type");
-- create "allocations" table
CREATE TABLE "allocations" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "ip" character varying NOT NULL, "port" bigint NOT NULL, "alias" character varying NULL, "notes" character varying NULL, "primary" boolean NOT NULL DEFAULT false, "node_id" character varying NOT NULL, "server_id" character varying NULL, PRIMARY KEY ("id"), CONSTRAINT "allocations_nodes_allocations" FOREIGN KEY ("node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "allocations_servers_allocations" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE SET NULL, CONSTRAINT "allocation_port" CHECK ((port >= 1) AND (port <= 65535)));
-- create index "allocation_created_at" to table: "allocations"
CREATE INDEX "allocation_created_at" ON "allocations" ("created_at");
-- create index "allocation_ip" to table: "allocations"
CREATE INDEX "allocation_ip" ON "allocations" ("ip");
-- create index "allocation_node_id_ip_port" to table: "allocations"
CREATE UNIQUE INDEX "allocation_node_id_ip_port" ON "allocations" ("node_id", "ip", "port");
-- create index "allocation_port" to table: "allocations"
CREATE INDEX "allocation_port" ON "allocations" ("port");
-- create index "allocation_server_id" to table: "allocations"
CREATE INDEX "allocation_server_id" ON "allocations" ("server_id");
-- create "api_keys" table
CREATE TABLE "api_keys" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "prefix" character varying NOT NULL, "key_hash" character varying NOT NULL, "permissions" jsonb NOT NULL, "allowed_cidrs" jsonb NOT NULL, "expires_at" timestamptz NULL, "last_used_at" timestamptz NULL, "user_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "api_keys_users_api_keys" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "api_keys_key_hash_key" to table: "api_keys"
CREATE UNIQUE INDEX "api_keys_key_hash_key" ON "api_keys" ("key_hash");
-- create index "apikey_created_at" to table: "api_keys"
CREATE INDEX "apikey_created_at" ON "api_keys" ("created_at");
-- create index "apikey_name" to table: "api_keys"
CREATE INDEX "apikey_name" ON "api_keys" ("name");
-- create index "apikey_user_id" to table: "api_keys"
CREATE INDEX "apikey_user_id" ON "api_keys" ("user_id");
-- create "audit_logs" table
CREATE TABLE "audit_logs" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "actor_name" character varying NOT NULL DEFAULT '', "action" character varying NOT NULL, "target_type" character varying NOT NULL DEFAULT '', "target_id" character varying NOT NULL DEFAULT '', "server_id" character varying NULL, "ip" character varying NOT NULL DEFAULT '', "user_agent" character varying NOT NULL DEFAULT '', "request_id" character varying NOT NULL DEFAULT '', "outcome" character varying NOT NULL, "details" jsonb NULL, "actor_id" character varying NULL, PRIMARY KEY ("id"), CONSTRAINT "audit_logs_users_actor" FOREIGN KEY ("actor_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "auditlog_action_created_at" to table: "audit_logs"
CREATE INDEX "auditlog_action_created_at" ON "audit_logs" ("action", "created_at");
-- create index "auditlog_actor_id_created_at" to table: "audit_logs"
CREATE INDEX "auditlog_actor_id_created_at" ON "audit_logs" ("actor_id", "created_at");
-- create index "auditlog_actor_name" to table: "audit_logs"
CREATE INDEX "auditlog_actor_name" ON "audit_logs" ("actor_name");
-- create index "auditlog_created_at" to table: "audit_logs"
CREATE INDEX "auditlog_created_at" ON "audit_logs" ("created_at");
-- create index "auditlog_ip" to table: "audit_logs"
CREATE INDEX "auditlog_ip" ON "audit_logs" ("ip");
-- create index "auditlog_request_id" to table: "audit_logs"
CREATE INDEX "auditlog_request_id" ON "audit_logs" ("request_id");
-- create index "auditlog_server_id_created_at" to table: "audit_logs"
CREATE INDEX "auditlog_server_id_created_at" ON "audit_logs" ("server_id", "created_at");
-- create index "auditlog_target_type_target_id" to table: "audit_logs"
CREATE INDEX "auditlog_target_type_target_id" ON "audit_logs" ("target_type", "target_id");
-- create "backup_storages" table
CREATE TABLE "backup_storages" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "type" character varying NOT NULL, "config" jsonb NOT NULL, "credentials" bytea NULL, "is_default" boolean NOT NULL DEFAULT false, PRIMARY KEY ("id"));
-- create index "backup_storages_name_key" to table: "backup_storages"
CREATE UNIQUE INDEX "backup_storages_name_key" ON "backup_storages" ("name");
-- create index "backupstorage_created_at" to table: "backup_storages"
CREATE INDEX "backupstorage_created_at" ON "backup_storages" ("created_at");
-- create "scheduled_tasks" table
CREATE TABLE "scheduled_tasks" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "schedule" character varying NOT NULL, "time_zone" character varying NOT NULL DEFAULT 'UTC', "steps" jsonb NOT NULL, "only_when_online" boolean NOT NULL DEFAULT false, "enabled" boolean NOT NULL DEFAULT true, "disabled_reason" character varying NULL, "last_run_at" timestamptz NULL, "next_run_at" timestamptz NULL, "run_count" bigint NOT NULL DEFAULT 0, "last_status" character varying NULL, "server_id" character varying NOT NULL, "author_id" character varying NULL, PRIMARY KEY ("id"), CONSTRAINT "scheduled_tasks_servers_tasks" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "scheduled_tasks_users_tasks" FOREIGN KEY ("author_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "scheduledtask_author_id" to table: "scheduled_tasks"
CREATE INDEX "scheduledtask_author_id" ON "scheduled_tasks" ("author_id");
-- create index "scheduledtask_created_at" to table: "scheduled_tasks"
CREATE INDEX "scheduledtask_created_at" ON "scheduled_tasks" ("created_at");
-- create index "scheduledtask_enabled_next_run_at" to table: "scheduled_tasks"
CREATE INDEX "scheduledtask_enabled_next_run_at" ON "scheduled_tasks" ("enabled", "next_run_at");
-- create index "scheduledtask_name" to table: "scheduled_tasks"
CREATE INDEX "scheduledtask_name" ON "scheduled_tasks" ("name");
-- create index "scheduledtask_server_id" to table: "scheduled_tasks"
CREATE INDEX "scheduledtask_server_id" ON "scheduled_tasks" ("server_id");
-- create "task_runs" table
CREATE TABLE "task_runs" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "scheduled_at" timestamptz NOT NULL, "started_at" timestamptz NOT NULL, "finished_at" timestamptz NULL, "state" character varying NOT NULL DEFAULT 'RUNNING', "log" jsonb NOT NULL, "manual" boolean NOT NULL DEFAULT false, "lease_until" timestamptz NOT NULL, "task_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "task_runs_scheduled_tasks_runs" FOREIGN KEY ("task_id") REFERENCES "scheduled_tasks" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "taskrun_created_at" to table: "task_runs"
CREATE INDEX "taskrun_created_at" ON "task_runs" ("created_at");
-- create index "taskrun_scheduled_at" to table: "task_runs"
CREATE INDEX "taskrun_scheduled_at" ON "task_runs" ("scheduled_at");
-- create index "taskrun_state_lease_until" to table: "task_runs"
CREATE INDEX "taskrun_state_lease_until" ON "task_runs" ("state", "lease_until");
-- create index "taskrun_task_id_scheduled_at" to table: "task_runs"
CREATE UNIQUE INDEX "taskrun_task_id_scheduled_at" ON "task_runs" ("task_id", "scheduled_at");
-- create "backups" table
CREATE TABLE "backups" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "state" character varying NOT NULL DEFAULT 'PENDING', "progress" double precision NOT NULL DEFAULT 0, "message" character varying NULL, "size" bigint NULL, "checksum" character varying NULL, "path" character varying NULL, "compression" character varying NOT NULL DEFAULT 'ZSTD', "ignore_patterns" jsonb NOT NULL, "locked" boolean NOT NULL DEFAULT false, "error" character varying NULL, "completed_at" timestamptz NULL, "created_by_id" character varying NULL, "task_run_id" character varying NULL, "storage_id" character varying NULL, "server_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "backups_backup_storages_backups" FOREIGN KEY ("storage_id") REFERENCES "backup_storages" ("id") ON UPDATE NO ACTION ON DELETE NO ACTION, CONSTRAINT "backups_servers_backups" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "backups_task_runs_task_run" FOREIGN KEY ("task_run_id") REFERENCES "task_runs" ("id") ON UPDATE NO ACTION ON DELETE SET NULL, CONSTRAINT "backups_users_created_by" FOREIGN KEY ("created_by_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "backup_created_at" to table: "backups"
CREATE INDEX "backup_created_at" ON "backups" ("created_at");
-- create index "backup_created_by_id" to table: "backups"
CREATE INDEX "backup_created_by_id" ON "backups" ("created_by_id");
-- create index "backup_name" to table: "backups"
CREATE INDEX "backup_name" ON "backups" ("name");
-- create index "backup_server_id_state" to table: "backups"
CREATE INDEX "backup_server_id_state" ON "backups" ("server_id", "state");
-- create index "backup_state" to table: "backups"
CREATE INDEX "backup_state" ON "backups" ("state");
-- create index "backup_storage_id" to table: "backups"
CREATE INDEX "backup_storage_id" ON "backups" ("storage_id");
-- create index "backup_task_run_id" to table: "backups"
CREATE INDEX "backup_task_run_id" ON "backups" ("task_run_id");
-- create "enrolment_tokens" table
CREATE TABLE "enrolment_tokens" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "token_hash" character varying NOT NULL, "expires_at" timestamptz NOT NULL, "used_at" timestamptz NULL, "node_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "enrolment_tokens_nodes_enrolment_tokens" FOREIGN KEY ("node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "enrolment_tokens_token_hash_key" to table: "enrolment_tokens"
CREATE UNIQUE INDEX "enrolment_tokens_token_hash_key" ON "enrolment_tokens" ("token_hash");
-- create index "enrolmenttoken_created_at" to table: "enrolment_tokens"
CREATE INDEX "enrolmenttoken_created_at" ON "enrolment_tokens" ("created_at");
-- create index "enrolmenttoken_expires_at" to table: "enrolment_tokens"
CREATE INDEX "enrolmenttoken_expires_at" ON "enrolment_tokens" ("expires_at");
-- create index "enrolmenttoken_node_id" to table: "enrolment_tokens"
CREATE INDEX "enrolmenttoken_node_id" ON "enrolment_tokens" ("node_id");
-- create "invites" table
CREATE TABLE "invites" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "email" character varying NOT NULL, "permissions" jsonb NOT NULL, "token_hash" character varying NOT NULL, "expires_at" timestamptz NOT NULL, "accepted_at" timestamptz NULL, "created_by_id" character varying NULL, "server_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "invites_servers_invites" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "invites_users_created_by" FOREIGN KEY ("created_by_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "invite_created_at" to table: "invites"
CREATE INDEX "invite_created_at" ON "invites" ("created_at");
-- create index "invite_created_by_id" to table: "invites"
CREATE INDEX "invite_created_by_id" ON "invites" ("created_by_id");
-- create index "invite_email" to table: "invites"
CREATE INDEX "invite_email" ON "invites" ("email");
-- create index "invite_expires_at" to table: "invites"
CREATE INDEX "invite_expires_at" ON "invites" ("expires_at");
-- create index "invite_server_id" to table: "invites"
CREATE INDEX "invite_server_id" ON "invites" ("server_id");
-- create index "invites_token_hash_key" to table: "invites"
CREATE UNIQUE INDEX "invites_token_hash_key" ON "invites" ("token_hash");
-- create "node_metrics" table
CREATE TABLE "node_metrics" ("id" bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY, "resolution" character varying NOT NULL, "at" timestamptz NOT NULL, "samples" bigint NOT NULL DEFAULT 1, "cpu_percent_avg" double precision NOT NULL DEFAULT 0, "cpu_percent_max" double precision NOT NULL DEFAULT 0, "memory_bytes_avg" bigint NOT NULL DEFAULT 0, "memory_bytes_max" bigint NOT NULL DEFAULT 0, "network_rx_bytes_avg" bigint NOT NULL DEFAULT 0, "network_rx_bytes_max" bigint NOT NULL DEFAULT 0, "network_tx_bytes_avg" bigint NOT NULL DEFAULT 0, "network_tx_bytes_max" bigint NOT NULL DEFAULT 0, "disk_bytes_avg" bigint NOT NULL DEFAULT 0, "disk_bytes_max" bigint NOT NULL DEFAULT 0, "processes_avg" bigint NOT NULL DEFAULT 0, "processes_max" bigint NOT NULL DEFAULT 0, "node_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "node_metrics_nodes_node" FOREIGN KEY ("node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "nodemetrics_node_id_resolution_at" to table: "node_metrics"
CREATE UNIQUE INDEX "nodemetrics_node_id_resolution_at" ON "node_metrics" ("node_id", "resolution", "at");
-- create index "nodemetrics_resolution_at" to table: "node_metrics"
CREATE INDEX "nodemetrics_resolution_at" ON "node_metrics" ("resolution", "at");
-- create "password_resets" table
CREATE TABLE "password_resets" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "token_hash" character varying NOT NULL, "expires_at" timestamptz NOT NULL, "used_at" timestamptz NULL, "user_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "password_resets_users_password_resets" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "password_resets_token_hash_key" to table: "password_resets"
CREATE UNIQUE INDEX "password_resets_token_hash_key" ON "password_resets" ("token_hash");
-- create index "passwordreset_created_at" to table: "password_resets"
CREATE INDEX "passwordreset_created_at" ON "password_resets" ("created_at");
-- create index "passwordreset_expires_at" to table: "password_resets"
CREATE INDEX "passwordreset_expires_at" ON "password_resets" ("expires_at");
-- create index "passwordreset_user_id" to table: "password_resets"
CREATE INDEX "passwordreset_user_id" ON "password_resets" ("user_id");
-- create "recovery_codes" table
CREATE TABLE "recovery_codes" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "code_hash" character varying NOT NULL, "used_at" timestamptz NULL, "user_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "recovery_codes_users_recovery_codes" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "recoverycode_created_at" to table: "recovery_codes"
CREATE INDEX "recoverycode_created_at" ON "recovery_codes" ("created_at");
-- create index "recoverycode_user_id_code_hash" to table: "recovery_codes"
CREATE UNIQUE INDEX "recoverycode_user_id_code_hash" ON "recovery_codes" ("user_id", "code_hash");
-- create "server_accesses" table
CREATE TABLE "server_accesses" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "permissions" jsonb NOT NULL, "server_id" character varying NOT NULL, "user_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "server_accesses_servers_accesses" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "server_accesses_users_server_accesses" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "serveraccess_created_at" to table: "server_accesses"
CREATE INDEX "serveraccess_created_at" ON "server_accesses" ("created_at");
-- create index "serveraccess_server_id" to table: "server_accesses"
CREATE INDEX "serveraccess_server_id" ON "server_accesses" ("server_id");
-- create index "serveraccess_user_id_server_id" to table: "server_accesses"
CREATE UNIQUE INDEX "serveraccess_user_id_server_id" ON "server_accesses" ("user_id", "server_id");
-- create "server_logs" table
CREATE TABLE "server_logs" ("id" bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY, "seq" bigint NOT NULL, "at" timestamptz NOT NULL, "stream" character varying NOT NULL, "text" text NOT NULL, "server_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "server_logs_servers_server" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "serverlog_at" to table: "server_logs"
CREATE INDEX "serverlog_at" ON "server_logs" ("at");
-- create index "serverlog_server_id_at" to table: "server_logs"
CREATE INDEX "serverlog_server_id_at" ON "server_logs" ("server_id", "at");
-- create index "serverlog_server_id_seq" to table: "server_logs"
CREATE UNIQUE INDEX "serverlog_server_id_seq" ON "server_logs" ("server_id", "seq");
-- create "server_metrics" table
CREATE TABLE "server_metrics" ("id" bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY, "resolution" character varying NOT NULL, "at" timestamptz NOT NULL, "samples" bigint NOT NULL DEFAULT 1, "cpu_percent_avg" double precision NOT NULL DEFAULT 0, "cpu_percent_max" double precision NOT NULL DEFAULT 0, "memory_bytes_avg" bigint NOT NULL DEFAULT 0, "memory_bytes_max" bigint NOT NULL DEFAULT 0, "network_rx_bytes_avg" bigint NOT NULL DEFAULT 0, "network_rx_bytes_max" bigint NOT NULL DEFAULT 0, "network_tx_bytes_avg" bigint NOT NULL DEFAULT 0, "network_tx_bytes_max" bigint NOT NULL DEFAULT 0, "disk_bytes_avg" bigint NOT NULL DEFAULT 0, "disk_bytes_max" bigint NOT NULL DEFAULT 0, "processes_avg" bigint NOT NULL DEFAULT 0, "processes_max" bigint NOT NULL DEFAULT 0, "server_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "server_metrics_servers_server" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "servermetrics_resolution_at" to table: "server_metrics"
CREATE INDEX "servermetrics_resolution_at" ON "server_metrics" ("resolution", "at");
-- create index "servermetrics_server_id_resolution_at" to table: "server_metrics"
CREATE UNIQUE INDEX "servermetrics_server_id_resolution_at" ON "server_metrics" ("server_id", "resolution", "at");
-- create "sessions" table
CREATE TABLE "sessions" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "refresh_hash" character varying NOT NULL, "previous_hash" character varying NULL, "family" character varying NOT NULL DEFAULT '', "ip" character varying NOT NULL DEFAULT '', "user_agent" character varying NOT NULL DEFAULT '', "expires_at" timestamptz NOT NULL, "last_used_at" timestamptz NOT NULL, "revoked_at" timestamptz NULL, "user_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "sessions_users_sessions" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "session_created_at" to table: "sessions"
CREATE INDEX "session_created_at" ON "sessions" ("created_at");
-- create index "session_expires_at" to table: "sessions"
CREATE INDEX "session_expires_at" ON "sessions" ("expires_at");
-- create index "session_family" to table: "sessions"
CREATE INDEX "session_family" ON "sessions" ("family");
-- create index "session_previous_hash" to table: "sessions"
CREATE INDEX "session_previous_hash" ON "sessions" ("previous_hash");
-- create index "session_user_id" to table: "sessions"
CREATE INDEX "session_user_id" ON "sessions" ("user_id");
-- create index "sessions_refresh_hash_key" to table: "sessions"
CREATE UNIQUE INDEX "sessions_refresh_hash_key" ON "sessions" ("refresh_hash");
-- create "ssh_keys" table
CREATE TABLE "ssh_keys" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "public_key" character varying NOT NULL, "fingerprint" character varying NOT NULL, "last_used_at" timestamptz NULL, "user_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "ssh_keys_users_ssh_keys" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "sshkey_created_at" to table: "ssh_keys"
CREATE INDEX "sshkey_created_at" ON "ssh_keys" ("created_at");
-- create index "sshkey_fingerprint" to table: "ssh_keys"
CREATE INDEX "sshkey_fingerprint" ON "ssh_keys" ("fingerprint");
-- create index "sshkey_name" to table: "ssh_keys"
CREATE INDEX "sshkey_name" ON "ssh_keys" ("name");
-- create index "sshkey_user_id_fingerprint" to table: "ssh_keys"
CREATE UNIQUE INDEX "sshkey_user_id_fingerprint" ON "ssh_keys" ("user_id", "fingerprint");
-- create "transfers" table
CREATE TABLE "transfers" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "state" character varying NOT NULL DEFAULT 'PENDING', "progress" double precision NOT NULL DEFAULT 0, "message" character varying NULL, "bytes_done" bigint NOT NULL DEFAULT 0, "bytes_total" bigint NOT NULL DEFAULT 0, "error" character varying NULL, "completed_at" timestamptz NULL, "server_id" character varying NOT NULL, "source_node_id" character varying NULL, "target_node_id" character varying NULL, "backup_id" character varying NULL, "requested_by_id" character varying NULL, PRIMARY KEY ("id"), CONSTRAINT "transfers_backups_backup" FOREIGN KEY ("backup_id") REFERENCES "backups" ("id") ON UPDATE NO ACTION ON DELETE SET NULL, CONSTRAINT "transfers_nodes_source_node" FOREIGN KEY ("source_node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE SET NULL, CONSTRAINT "transfers_nodes_target_node" FOREIGN KEY ("target_node_id") REFERENCES "nodes" ("id") ON UPDATE NO ACTION ON DELETE SET NULL, CONSTRAINT "transfers_servers_transfers" FOREIGN KEY ("server_id") REFERENCES "servers" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "transfers_users_requested_by" FOREIGN KEY ("requested_by_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE SET NULL);
-- create index "transfer_backup_id" to table: "transfers"
CREATE INDEX "transfer_backup_id" ON "transfers" ("backup_id");
-- create index "transfer_created_at" to table: "transfers"
CREATE INDEX "transfer_created_at" ON "transfers" ("created_at");
-- create index "transfer_requested_by_id" to table: "transfers"
CREATE INDEX "transfer_requested_by_id" ON "transfers" ("requested_by_id");
-- create index "transfer_server_id" to table: "transfers"
CREATE INDEX "transfer_server_id" ON "transfers" ("server_id");
-- create index "transfer_source_node_id" to table: "transfers"
CREATE INDEX "transfer_source_node_id" ON "transfers" ("source_node_id");
-- create index "transfer_state" to table: "transfers"
CREATE INDEX "transfer_state" ON "transfers" ("state");
-- create index "transfer_target_node_id" to table: "transfers"
CREATE INDEX "transfer_target_node_id" ON "transfers" ("target_node_id");
-- create "roles" table
CREATE TABLE "roles" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "name" character varying NOT NULL, "description" character varying NOT NULL DEFAULT '', "permissions" jsonb NOT NULL, "builtin" boolean NOT NULL DEFAULT false, PRIMARY KEY ("id"));
-- create index "role_created_at" to table: "roles"
CREATE INDEX "role_created_at" ON "roles" ("created_at");
-- create index "roles_name_key" to table: "roles"
CREATE UNIQUE INDEX "roles_name_key" ON "roles" ("name");
-- create "user_roles" table
CREATE TABLE "user_roles" ("user_id" character varying NOT NULL, "role_id" character varying NOT NULL, PRIMARY KEY ("user_id", "role_id"), CONSTRAINT "user_roles_role_id" FOREIGN KEY ("role_id") REFERENCES "roles" ("id") ON UPDATE NO ACTION ON DELETE CASCADE, CONSTRAINT "user_roles_user_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create "webhook_deliveries" table
CREATE TABLE "webhook_deliveries" ("id" character varying NOT NULL, "created_at" timestamptz NOT NULL, "updated_at" timestamptz NOT NULL, "event" character varying NOT NULL, "payload" jsonb NOT NULL, "state" character varying NOT NULL DEFAULT 'PENDING', "attempts" bigint NOT NULL DEFAULT 0, "status_code" bigint NULL, "latency_ms" bigint NULL, "error" character varying NULL, "next_attempt_at" timestamptz NOT NULL, "delivered_at" timestamptz NULL, "webhook_id" character varying NOT NULL, PRIMARY KEY ("id"), CONSTRAINT "webhook_deliveries_webhooks_deliveries" FOREIGN KEY ("webhook_id") REFERENCES "webhooks" ("id") ON UPDATE NO ACTION ON DELETE CASCADE);
-- create index "webhookdelivery_created_at" to table: "webhook_deliveries"
CREATE INDEX "webhookdelivery_created_at" ON "webhook_deliveries" ("created_at");
-- create index "webhookdelivery_event" to table: "webhook_deliveries"
CREATE INDEX "webhookdelivery_event" ON "webhook_deliveries" ("event");
-- create index "webhookdelivery_state_next_attempt_at" to table: "webhook_deliveries"
CREATE INDEX "webhookdelivery_state_next_attempt_at" ON "webhook_deliveries" ("state", "next_attempt_at");
-- create index "webhookdelivery_webhook_id" to table: "webhook_deliveries"
CREATE INDEX "webhookdelivery_webhook_id" ON "webhook_deliveries" ("webhook_id");

-- +goose Down
-- reverse: create index "webhookdelivery_webhook_id" to table: "webhook_deliveries"
DROP INDEX "webhookdelivery_webhook_id";
-- reverse: create index "webhookdelivery_state_next_attempt_at" to table: "webhook_deliveries"
DROP INDEX "webhookdelivery_state_next_attempt_at";
-- reverse: create index "webhookdelivery_event" to table: "webhook_deliveries"
DROP INDEX "webhookdelivery_event";
-- reverse: create index "webhookdelivery_created_at" to table: "webhook_deliveries"
DROP INDEX "webhookdelivery_created_at";
-- reverse: create "webhook_deliveries" table
DROP TABLE "webhook_deliveries";
-- reverse: create "user_roles" table
DROP TABLE "user_roles";
-- reverse: create index "roles_name_key" to table: "roles"
DROP INDEX "roles_name_key";
-- reverse: create index "role_created_at" to table: "roles"
DROP INDEX "role_created_at";
-- reverse: create "roles" table
DROP TABLE "roles";
-- reverse: create index "transfer_target_node_id" to table: "transfers"
DROP INDEX "transfer_target_node_id";
-- reverse: create index "transfer_state" to table: "transfers"
DROP INDEX "transfer_state";
-- reverse: create index "transfer_source_node_id" to table: "transfers"
DROP INDEX "transfer_source_node_id";
-- reverse: create index "transfer_server_id" to table: "transfers"
DROP INDEX "transfer_server_id";
-- reverse: create index "transfer_requested_by_id" to table: "transfers"
DROP INDEX "transfer_requested_by_id";
-- reverse: create index "transfer_created_at" to table: "transfers"
DROP INDEX "transfer_created_at";
-- reverse: create index "transfer_backup_id" to table: "transfers"
DROP INDEX "transfer_backup_id";
-- reverse: create "transfers" table
DROP TABLE "transfers";
-- reverse: create index "sshkey_user_id_fingerprint" to table: "ssh_keys"
DROP INDEX "sshkey_user_id_fingerprint";
-- reverse: create index "sshkey_name" to table: "ssh_keys"
DROP INDEX "sshkey_name";
-- reverse: create index "sshkey_fingerprint" to table: "ssh_keys"
DROP INDEX "sshkey_fingerprint";
-- reverse: create index "sshkey_created_at" to table: "ssh_keys"
DROP INDEX "sshkey_created_at";
-- reverse: create "ssh_keys" table
DROP TABLE "ssh_keys";
-- reverse: create index "sessions_refresh_hash_key" to table: "sessions"
DROP INDEX "sessions_refresh_hash_key";
-- reverse: create index "session_user_id" to table: "sessions"
DROP INDEX "session_user_id";
-- reverse: create index "session_previous_hash" to table: "sessions"
DROP INDEX "session_previous_hash";
-- reverse: create index "session_family" to table: "sessions"
DROP INDEX "session_family";
-- reverse: create index "session_expires_at" to table: "sessions"
DROP INDEX "session_expires_at";
-- reverse: create index "session_created_at" to table: "sessions"
DROP INDEX "session_created_at";
-- reverse: create "sessions" table
DROP TABLE "sessions";
-- reverse: create index "servermetrics_server_id_resolution_at" to table: "server_metrics"
DROP INDEX "servermetrics_server_id_resolution_at";
-- reverse: create index "servermetrics_resolution_at" to table: "server_metrics"
DROP INDEX "servermetrics_resolution_at";
-- reverse: create "server_metrics" table
DROP TABLE "server_metrics";
-- reverse: create index "serverlog_server_id_seq" to table: "server_logs"
DROP INDEX "serverlog_server_id_seq";
-- reverse: create index "serverlog_server_id_at" to table: "server_logs"
DROP INDEX "serverlog_server_id_at";
-- reverse: create index "serverlog_at" to table: "server_logs"
DROP INDEX "serverlog_at";
-- reverse: create "server_logs" table
DROP TABLE "server_logs";
-- reverse: create index "serveraccess_user_id_server_id" to table: "server_accesses"
DROP INDEX "serveraccess_user_id_server_id";
-- reverse: create index "serveraccess_server_id" to table: "server_accesses"
DROP INDEX "serveraccess_server_id";
-- reverse: create index "serveraccess_created_at" to table: "server_accesses"
DROP INDEX "serveraccess_created_at";
-- reverse: create "server_accesses" table
DROP TABLE "server_accesses";
-- reverse: create index "recoverycode_user_id_code_hash" to table: "recovery_codes"
DROP INDEX "recoverycode_user_id_code_hash";
-- reverse: create index "recoverycode_created_at" to table: "recovery_codes"
DROP INDEX "recoverycode_created_at";
-- reverse: create "recovery_codes" table
DROP TABLE "recovery_codes";
-- reverse: create index "passwordreset_user_id" to table: "password_resets"
DROP INDEX "passwordreset_user_id";
-- reverse: create index "passwordreset_expires_at" to table: "password_resets"
DROP INDEX "passwordreset_expires_at";
-- reverse: create index "passwordreset_created_at" to table: "password_resets"
DROP INDEX "passwordreset_created_at";
-- reverse: create index "password_resets_token_hash_key" to table: "password_resets"
DROP INDEX "password_resets_token_hash_key";
-- reverse: create "password_resets" table
DROP TABLE "password_resets";
-- reverse: create index "nodemetrics_resolution_at" to table: "node_metrics"
DROP INDEX "nodemetrics_resolution_at";
-- reverse: create index "nodemetrics_node_id_resolution_at" to table: "node_metrics"
DROP INDEX "nodemetrics_node_id_resolution_at";
-- reverse: create "node_metrics" table
DROP TABLE "node_metrics";
-- reverse: create index "invites_token_hash_key" to table: "invites"
DROP INDEX "invites_token_hash_key";
-- reverse: create index "invite_server_id" to table: "invites"
DROP INDEX "invite_server_id";
-- reverse: create index "invite_expires_at" to table: "invites"
DROP INDEX "invite_expires_at";
-- reverse: create index "invite_email" to table: "invites"
DROP INDEX "invite_email";
-- reverse: create index "invite_created_by_id" to table: "invites"
DROP INDEX "invite_created_by_id";
-- reverse: create index "invite_created_at" to table: "invites"
DROP INDEX "invite_created_at";
-- reverse: create "invites" table
DROP TABLE "invites";
-- reverse: create index "enrolmenttoken_node_id" to table: "enrolment_tokens"
DROP INDEX "enrolmenttoken_node_id";
-- reverse: create index "enrolmenttoken_expires_at" to table: "enrolment_tokens"
DROP INDEX "enrolmenttoken_expires_at";
-- reverse: create index "enrolmenttoken_created_at" to table: "enrolment_tokens"
DROP INDEX "enrolmenttoken_created_at";
-- reverse: create index "enrolment_tokens_token_hash_key" to table: "enrolment_tokens"
DROP INDEX "enrolment_tokens_token_hash_key";
-- reverse: create "enrolment_tokens" table
DROP TABLE "enrolment_tokens";
-- reverse: create index "backup_task_run_id" to table: "backups"
DROP INDEX "backup_task_run_id";
-- reverse: create index "backup_storage_id" to table: "backups"
DROP INDEX "backup_storage_id";
-- reverse: create index "backup_state" to table: "backups"
DROP INDEX "backup_state";
-- reverse: create index "backup_server_id_state" to table: "backups"
DROP INDEX "backup_server_id_state";
-- reverse: create index "backup_name" to table: "backups"
DROP INDEX "backup_name";
-- reverse: create index "backup_created_by_id" to table: "backups"
DROP INDEX "backup_created_by_id";
-- reverse: create index "backup_created_at" to table: "backups"
DROP INDEX "backup_created_at";
-- reverse: create "backups" table
DROP TABLE "backups";
-- reverse: create index "taskrun_task_id_scheduled_at" to table: "task_runs"
DROP INDEX "taskrun_task_id_scheduled_at";
-- reverse: create index "taskrun_state_lease_until" to table: "task_runs"
DROP INDEX "taskrun_state_lease_until";
-- reverse: create index "taskrun_scheduled_at" to table: "task_runs"
DROP INDEX "taskrun_scheduled_at";
-- reverse: create index "taskrun_created_at" to table: "task_runs"
DROP INDEX "taskrun_created_at";
-- reverse: create "task_runs" table
DROP TABLE "task_runs";
-- reverse: create index "scheduledtask_server_id" to table: "scheduled_tasks"
DROP INDEX "scheduledtask_server_id";
-- reverse: create index "scheduledtask_name" to table: "scheduled_tasks"
DROP INDEX "scheduledtask_name";
-- reverse: create index "scheduledtask_enabled_next_run_at" to table: "scheduled_tasks"
DROP INDEX "scheduledtask_enabled_next_run_at";
-- reverse: create index "scheduledtask_created_at" to table: "scheduled_tasks"
DROP INDEX "scheduledtask_created_at";
-- reverse: create index "scheduledtask_author_id" to table: "scheduled_tasks"
DROP INDEX "scheduledtask_author_id";
-- reverse: create "scheduled_tasks" table
DROP TABLE "scheduled_tasks";
-- reverse: create index "backupstorage_created_at" to table: "backup_storages"
DROP INDEX "backupstorage_created_at";
-- reverse: create index "backup_storages_name_key" to table: "backup_storages"
DROP INDEX "backup_storages_name_key";
-- reverse: create "backup_storages" table
DROP TABLE "backup_storages";
-- reverse: create index "auditlog_target_type_target_id" to table: "audit_logs"
DROP INDEX "auditlog_target_type_target_id";
-- reverse: create index "auditlog_server_id_created_at" to table: "audit_logs"
DROP INDEX "auditlog_server_id_created_at";
-- reverse: create index "auditlog_request_id" to table: "audit_logs"
DROP INDEX "auditlog_request_id";
-- reverse: create index "auditlog_ip" to table: "audit_logs"
DROP INDEX "auditlog_ip";
-- reverse: create index "auditlog_created_at" to table: "audit_logs"
DROP INDEX "auditlog_created_at";
-- reverse: create index "auditlog_actor_name" to table: "audit_logs"
DROP INDEX "auditlog_actor_name";
-- reverse: create index "auditlog_actor_id_created_at" to table: "audit_logs"
DROP INDEX "auditlog_actor_id_created_at";
-- reverse: create index "auditlog_action_created_at" to table: "audit_logs"
DROP INDEX "auditlog_action_created_at";
-- reverse: create "audit_logs" table
DROP TABLE "audit_logs";
-- reverse: create index "apikey_user_id" to table: "api_keys"
DROP INDEX "apikey_user_id";
-- reverse: create index "apikey_name" to table: "api_keys"
DROP INDEX "apikey_name";
-- reverse: create index "apikey_created_at" to table: "api_keys"
DROP INDEX "apikey_created_at";
-- reverse: create index "api_keys_key_hash_key" to table: "api_keys"
DROP INDEX "api_keys_key_hash_key";
-- reverse: create "api_keys" table
DROP TABLE "api_keys";
-- reverse: create index "allocation_server_id" to table: "allocations"
DROP INDEX "allocation_server_id";
-- reverse: create index "allocation_port" to table: "allocations"
DROP INDEX "allocation_port";
-- reverse: create index "allocation_node_id_ip_port" to table: "allocations"
DROP INDEX "allocation_node_id_ip_port";
-- reverse: create index "allocation_ip" to table: "allocations"
DROP INDEX "allocation_ip";
-- reverse: create index "allocation_created_at" to table: "allocations"
DROP INDEX "allocation_created_at";
-- reverse: create "allocations" table
DROP TABLE "allocations";
-- reverse: create index "alert_type" to table: "alerts"
DROP INDEX "alert_type";
-- reverse: create index "alert_severity" to table: "alerts"
DROP INDEX "alert_severity";
-- reverse: create index "alert_server_id_resolved" to table: "alerts"
DROP INDEX "alert_server_id_resolved";
-- reverse: create index "alert_rule_id" to table: "alerts"
DROP INDEX "alert_rule_id";
-- reverse: create index "alert_resolved_created_at" to table: "alerts"
DROP INDEX "alert_resolved_created_at";
-- reverse: create index "alert_resolved_by_id" to table: "alerts"
DROP INDEX "alert_resolved_by_id";
-- reverse: create index "alert_node_id_resolved" to table: "alerts"
DROP INDEX "alert_node_id_resolved";
-- reverse: create index "alert_last_seen_at" to table: "alerts"
DROP INDEX "alert_last_seen_at";
-- reverse: create index "alert_created_at" to table: "alerts"
DROP INDEX "alert_created_at";
-- reverse: create "alerts" table
DROP TABLE "alerts";
-- reverse: create "alert_rule_webhooks" table
DROP TABLE "alert_rule_webhooks";
-- reverse: create index "webhook_owner_id" to table: "webhooks"
DROP INDEX "webhook_owner_id";
-- reverse: create index "webhook_name" to table: "webhooks"
DROP INDEX "webhook_name";
-- reverse: create index "webhook_enabled" to table: "webhooks"
DROP INDEX "webhook_enabled";
-- reverse: create index "webhook_created_at" to table: "webhooks"
DROP INDEX "webhook_created_at";
-- reverse: create "webhooks" table
DROP TABLE "webhooks";
-- reverse: create index "alertrule_server_id" to table: "alert_rules"
DROP INDEX "alertrule_server_id";
-- reverse: create index "alertrule_node_id" to table: "alert_rules"
DROP INDEX "alertrule_node_id";
-- reverse: create index "alertrule_name" to table: "alert_rules"
DROP INDEX "alertrule_name";
-- reverse: create index "alertrule_enabled" to table: "alert_rules"
DROP INDEX "alertrule_enabled";
-- reverse: create index "alertrule_created_by_id" to table: "alert_rules"
DROP INDEX "alertrule_created_by_id";
-- reverse: create index "alertrule_created_at" to table: "alert_rules"
DROP INDEX "alertrule_created_at";
-- reverse: create "alert_rules" table
DROP TABLE "alert_rules";
-- reverse: create index "server_template_id" to table: "servers"
DROP INDEX "server_template_id";
-- reverse: create index "server_state" to table: "servers"
DROP INDEX "server_state";
-- reverse: create index "server_owner_id" to table: "servers"
DROP INDEX "server_owner_id";
-- reverse: create index "server_node_id" to table: "servers"
DROP INDEX "server_node_id";
-- reverse: create index "server_name" to table: "servers"
DROP INDEX "server_name";
-- reverse: create index "server_deleted_at" to table: "servers"
DROP INDEX "server_deleted_at";
-- reverse: create index "server_created_at" to table: "servers"
DROP INDEX "server_created_at";
-- reverse: create "servers" table
DROP TABLE "servers";
-- reverse: create index "users_username_key_key" to table: "users"
DROP INDEX "users_username_key_key";
-- reverse: create index "users_email_key" to table: "users"
DROP INDEX "users_email_key";
-- reverse: create index "user_username" to table: "users"
DROP INDEX "user_username";
-- reverse: create index "user_created_at" to table: "users"
DROP INDEX "user_created_at";
-- reverse: create "users" table
DROP TABLE "users";
-- reverse: create index "template_slug" to table: "templates"
DROP INDEX "template_slug";
-- reverse: create index "template_name" to table: "templates"
DROP INDEX "template_name";
-- reverse: create index "template_created_at" to table: "templates"
DROP INDEX "template_created_at";
-- reverse: create "templates" table
DROP TABLE "templates";
-- reverse: create index "nodes_name_key" to table: "nodes"
DROP INDEX "nodes_name_key";
-- reverse: create index "node_online" to table: "nodes"
DROP INDEX "node_online";
-- reverse: create index "node_location_id" to table: "nodes"
DROP INDEX "node_location_id";
-- reverse: create index "node_created_at" to table: "nodes"
DROP INDEX "node_created_at";
-- reverse: create "nodes" table
DROP TABLE "nodes";
-- reverse: create index "outbox_topic" to table: "outboxes"
DROP INDEX "outbox_topic";
-- reverse: create index "outbox_done_at_available_at" to table: "outboxes"
DROP INDEX "outbox_done_at_available_at";
-- reverse: create index "outbox_created_at" to table: "outboxes"
DROP INDEX "outbox_created_at";
-- reverse: create "outboxes" table
DROP TABLE "outboxes";
-- reverse: create index "settings_key_key" to table: "settings"
DROP INDEX "settings_key_key";
-- reverse: create index "setting_created_at" to table: "settings"
DROP INDEX "setting_created_at";
-- reverse: create "settings" table
DROP TABLE "settings";
-- reverse: create index "locations_name_key" to table: "locations"
DROP INDEX "locations_name_key";
-- reverse: create index "location_created_at" to table: "locations"
DROP INDEX "location_created_at";
-- reverse: create "locations" table
DROP TABLE "locations";
