-- +goose Up
-- create "alerts" table
CREATE TABLE `alerts` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `type` text NOT NULL, `severity` text NOT NULL, `title` text NOT NULL, `message` text NOT NULL DEFAULT (''), `resolved` bool NOT NULL DEFAULT (false), `resolved_at` datetime NULL, `last_seen_at` datetime NOT NULL, `node_id` text NULL, `resolved_by_id` text NULL, `rule_id` text NULL, `server_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `alerts_nodes_node` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE CASCADE, CONSTRAINT `alerts_users_resolved_by` FOREIGN KEY (`resolved_by_id`) REFERENCES `users` (`id`) ON DELETE SET NULL, CONSTRAINT `alerts_alert_rules_alerts` FOREIGN KEY (`rule_id`) REFERENCES `alert_rules` (`id`) ON DELETE SET NULL, CONSTRAINT `alerts_servers_alerts` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE);
-- create index "alert_created_at" to table: "alerts"
CREATE INDEX `alert_created_at` ON `alerts` (`created_at`);
-- create index "alert_rule_id" to table: "alerts"
CREATE INDEX `alert_rule_id` ON `alerts` (`rule_id`);
-- create index "alert_server_id_resolved" to table: "alerts"
CREATE INDEX `alert_server_id_resolved` ON `alerts` (`server_id`, `resolved`);
-- create index "alert_node_id_resolved" to table: "alerts"
CREATE INDEX `alert_node_id_resolved` ON `alerts` (`node_id`, `resolved`);
-- create index "alert_resolved_by_id" to table: "alerts"
CREATE INDEX `alert_resolved_by_id` ON `alerts` (`resolved_by_id`);
-- create index "alert_type" to table: "alerts"
CREATE INDEX `alert_type` ON `alerts` (`type`);
-- create index "alert_severity" to table: "alerts"
CREATE INDEX `alert_severity` ON `alerts` (`severity`);
-- create index "alert_resolved_created_at" to table: "alerts"
CREATE INDEX `alert_resolved_created_at` ON `alerts` (`resolved`, `created_at`);
-- create index "alert_last_seen_at" to table: "alerts"
CREATE INDEX `alert_last_seen_at` ON `alerts` (`last_seen_at`);
-- create "alert_rules" table
CREATE TABLE `alert_rules` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `type` text NOT NULL, `severity` text NOT NULL DEFAULT ('WARNING'), `metric` text NULL, `operator` text NULL, `value` real NULL, `for_seconds` integer NOT NULL DEFAULT (0), `enabled` bool NOT NULL DEFAULT (true), `node_id` text NULL, `server_id` text NULL, `created_by_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `alert_rules_nodes_node` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE CASCADE, CONSTRAINT `alert_rules_servers_server` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE, CONSTRAINT `alert_rules_users_created_by` FOREIGN KEY (`created_by_id`) REFERENCES `users` (`id`) ON DELETE SET NULL);
-- create index "alertrule_created_at" to table: "alert_rules"
CREATE INDEX `alertrule_created_at` ON `alert_rules` (`created_at`);
-- create index "alertrule_node_id" to table: "alert_rules"
CREATE INDEX `alertrule_node_id` ON `alert_rules` (`node_id`);
-- create index "alertrule_server_id" to table: "alert_rules"
CREATE INDEX `alertrule_server_id` ON `alert_rules` (`server_id`);
-- create index "alertrule_created_by_id" to table: "alert_rules"
CREATE INDEX `alertrule_created_by_id` ON `alert_rules` (`created_by_id`);
-- create index "alertrule_name" to table: "alert_rules"
CREATE INDEX `alertrule_name` ON `alert_rules` (`name`);
-- create index "alertrule_enabled" to table: "alert_rules"
CREATE INDEX `alertrule_enabled` ON `alert_rules` (`enabled`);
-- create "allocations" table
CREATE TABLE `allocations` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `ip` text NOT NULL, `port` integer NOT NULL, `alias` text NULL, `notes` text NULL, `primary` bool NOT NULL DEFAULT (false), `node_id` text NOT NULL, `server_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `allocations_nodes_allocations` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE CASCADE, CONSTRAINT `allocations_servers_allocations` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE SET NULL, CONSTRAINT `allocation_port` CHECK (port BETWEEN 1 AND 65535));
-- create index "allocation_created_at" to table: "allocations"
CREATE INDEX `allocation_created_at` ON `allocations` (`created_at`);
-- create index "allocation_node_id_ip_port" to table: "allocations"
CREATE UNIQUE INDEX `allocation_node_id_ip_port` ON `allocations` (`node_id`, `ip`, `port`);
-- create index "allocation_server_id" to table: "allocations"
CREATE INDEX `allocation_server_id` ON `allocations` (`server_id`);
-- create index "allocation_ip" to table: "allocations"
CREATE INDEX `allocation_ip` ON `allocations` (`ip`);
-- create index "allocation_port" to table: "allocations"
CREATE INDEX `allocation_port` ON `allocations` (`port`);
-- create "api_keys" table
CREATE TABLE `api_keys` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `prefix` text NOT NULL, `key_hash` text NOT NULL, `permissions` json NOT NULL, `allowed_cidrs` json NOT NULL, `expires_at` datetime NULL, `last_used_at` datetime NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `api_keys_users_api_keys` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "api_keys_key_hash_key" to table: "api_keys"
CREATE UNIQUE INDEX `api_keys_key_hash_key` ON `api_keys` (`key_hash`);
-- create index "apikey_created_at" to table: "api_keys"
CREATE INDEX `apikey_created_at` ON `api_keys` (`created_at`);
-- create index "apikey_user_id" to table: "api_keys"
CREATE INDEX `apikey_user_id` ON `api_keys` (`user_id`);
-- create index "apikey_name" to table: "api_keys"
CREATE INDEX `apikey_name` ON `api_keys` (`name`);
-- create "audit_logs" table
CREATE TABLE `audit_logs` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `actor_name` text NOT NULL DEFAULT (''), `action` text NOT NULL, `target_type` text NOT NULL DEFAULT (''), `target_id` text NOT NULL DEFAULT (''), `server_id` text NULL, `ip` text NOT NULL DEFAULT (''), `user_agent` text NOT NULL DEFAULT (''), `request_id` text NOT NULL DEFAULT (''), `outcome` text NOT NULL, `details` json NULL, `actor_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `audit_logs_users_actor` FOREIGN KEY (`actor_id`) REFERENCES `users` (`id`) ON DELETE SET NULL);
-- create index "auditlog_created_at" to table: "audit_logs"
CREATE INDEX `auditlog_created_at` ON `audit_logs` (`created_at`);
-- create index "auditlog_actor_id_created_at" to table: "audit_logs"
CREATE INDEX `auditlog_actor_id_created_at` ON `audit_logs` (`actor_id`, `created_at`);
-- create index "auditlog_actor_name" to table: "audit_logs"
CREATE INDEX `auditlog_actor_name` ON `audit_logs` (`actor_name`);
-- create index "auditlog_action_created_at" to table: "audit_logs"
CREATE INDEX `auditlog_action_created_at` ON `audit_logs` (`action`, `created_at`);
-- create index "auditlog_target_type_target_id" to table: "audit_logs"
CREATE INDEX `auditlog_target_type_target_id` ON `audit_logs` (`target_type`, `target_id`);
-- create index "auditlog_server_id_created_at" to table: "audit_logs"
CREATE INDEX `auditlog_server_id_created_at` ON `audit_logs` (`server_id`, `created_at`);
-- create index "auditlog_ip" to table: "audit_logs"
CREATE INDEX `auditlog_ip` ON `audit_logs` (`ip`);
-- create index "auditlog_request_id" to table: "audit_logs"
CREATE INDEX `auditlog_request_id` ON `audit_logs` (`request_id`);
-- create "backups" table
CREATE TABLE `backups` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `state` text NOT NULL DEFAULT ('PENDING'), `progress` real NOT NULL DEFAULT (0), `message` text NULL, `size` integer NULL, `checksum` text NULL, `path` text NULL, `compression` text NOT NULL DEFAULT ('ZSTD'), `ignore_patterns` json NOT NULL, `locked` bool NOT NULL DEFAULT (false), `error` text NULL, `completed_at` datetime NULL, `created_by_id` text NULL, `task_run_id` text NULL, `storage_id` text NULL, `server_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `backups_users_created_by` FOREIGN KEY (`created_by_id`) REFERENCES `users` (`id`) ON DELETE SET NULL, CONSTRAINT `backups_task_runs_task_run` FOREIGN KEY (`task_run_id`) REFERENCES `task_runs` (`id`) ON DELETE SET NULL, CONSTRAINT `backups_backup_storages_backups` FOREIGN KEY (`storage_id`) REFERENCES `backup_storages` (`id`) ON DELETE NO ACTION, CONSTRAINT `backups_servers_backups` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE);
-- create index "backup_created_at" to table: "backups"
CREATE INDEX `backup_created_at` ON `backups` (`created_at`);
-- create index "backup_server_id_state" to table: "backups"
CREATE INDEX `backup_server_id_state` ON `backups` (`server_id`, `state`);
-- create index "backup_storage_id" to table: "backups"
CREATE INDEX `backup_storage_id` ON `backups` (`storage_id`);
-- create index "backup_created_by_id" to table: "backups"
CREATE INDEX `backup_created_by_id` ON `backups` (`created_by_id`);
-- create index "backup_task_run_id" to table: "backups"
CREATE INDEX `backup_task_run_id` ON `backups` (`task_run_id`);
-- create index "backup_name" to table: "backups"
CREATE INDEX `backup_name` ON `backups` (`name`);
-- create index "backup_state" to table: "backups"
CREATE INDEX `backup_state` ON `backups` (`state`);
-- create "backup_storages" table
CREATE TABLE `backup_storages` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `type` text NOT NULL, `config` json NOT NULL, `credentials` blob NULL, `is_default` bool NOT NULL DEFAULT (false), PRIMARY KEY (`id`));
-- create index "backup_storages_name_key" to table: "backup_storages"
CREATE UNIQUE INDEX `backup_storages_name_key` ON `backup_storages` (`name`);
-- create index "backupstorage_created_at" to table: "backup_storages"
CREATE INDEX `backupstorage_created_at` ON `backup_storages` (`created_at`);
-- create "enrolment_tokens" table
CREATE TABLE `enrolment_tokens` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `token_hash` text NOT NULL, `expires_at` datetime NOT NULL, `used_at` datetime NULL, `node_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `enrolment_tokens_nodes_enrolment_tokens` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE CASCADE);
-- create index "enrolment_tokens_token_hash_key" to table: "enrolment_tokens"
CREATE UNIQUE INDEX `enrolment_tokens_token_hash_key` ON `enrolment_tokens` (`token_hash`);
-- create index "enrolmenttoken_created_at" to table: "enrolment_tokens"
CREATE INDEX `enrolmenttoken_created_at` ON `enrolment_tokens` (`created_at`);
-- create index "enrolmenttoken_node_id" to table: "enrolment_tokens"
CREATE INDEX `enrolmenttoken_node_id` ON `enrolment_tokens` (`node_id`);
-- create index "enrolmenttoken_expires_at" to table: "enrolment_tokens"
CREATE INDEX `enrolmenttoken_expires_at` ON `enrolment_tokens` (`expires_at`);
-- create "invites" table
CREATE TABLE `invites` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `email` text NOT NULL, `permissions` json NOT NULL, `token_hash` text NOT NULL, `expires_at` datetime NOT NULL, `accepted_at` datetime NULL, `created_by_id` text NULL, `server_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `invites_users_created_by` FOREIGN KEY (`created_by_id`) REFERENCES `users` (`id`) ON DELETE SET NULL, CONSTRAINT `invites_servers_invites` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE);
-- create index "invites_token_hash_key" to table: "invites"
CREATE UNIQUE INDEX `invites_token_hash_key` ON `invites` (`token_hash`);
-- create index "invite_created_at" to table: "invites"
CREATE INDEX `invite_created_at` ON `invites` (`created_at`);
-- create index "invite_server_id" to table: "invites"
CREATE INDEX `invite_server_id` ON `invites` (`server_id`);
-- create index "invite_created_by_id" to table: "invites"
CREATE INDEX `invite_created_by_id` ON `invites` (`created_by_id`);
-- create index "invite_email" to table: "invites"
CREATE INDEX `invite_email` ON `invites` (`email`);
-- create index "invite_expires_at" to table: "invites"
CREATE INDEX `invite_expires_at` ON `invites` (`expires_at`);
-- create "locations" table
CREATE TABLE `locations` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `description` text NOT NULL DEFAULT (''), PRIMARY KEY (`id`));
-- create index "locations_name_key" to table: "locations"
CREATE UNIQUE INDEX `locations_name_key` ON `locations` (`name`);
-- create index "location_created_at" to table: "locations"
CREATE INDEX `location_created_at` ON `locations` (`created_at`);
-- create "nodes" table
CREATE TABLE `nodes` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `public_address` text NOT NULL, `memory_limit` integer NOT NULL, `cpu_limit` integer NOT NULL, `disk_limit` integer NOT NULL, `overcommit` real NOT NULL DEFAULT (1), `labels` json NOT NULL, `maintenance` bool NOT NULL DEFAULT (false), `public_key` blob NULL, `online` bool NOT NULL DEFAULT (false), `last_seen_at` datetime NULL, `agent_version` text NOT NULL DEFAULT (''), `link_instance` text NOT NULL DEFAULT (''), `link_session` text NOT NULL DEFAULT (''), `link_epoch` integer NOT NULL DEFAULT (0), `event_epoch` text NOT NULL DEFAULT (''), `event_seq` integer NOT NULL DEFAULT (0), `os` text NOT NULL DEFAULT (''), `arch` text NOT NULL DEFAULT (''), `kernel` text NOT NULL DEFAULT (''), `cpu_count` integer NOT NULL DEFAULT (0), `memory_total` integer NOT NULL DEFAULT (0), `disk_total` integer NOT NULL DEFAULT (0), `runtime` text NOT NULL DEFAULT (''), `cpu_percent` real NOT NULL DEFAULT (0), `memory_bytes` integer NOT NULL DEFAULT (0), `disk_bytes` integer NOT NULL DEFAULT (0), `network_rx_bytes` integer NOT NULL DEFAULT (0), `network_tx_bytes` integer NOT NULL DEFAULT (0), `usage_at` datetime NULL, `location_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `nodes_locations_nodes` FOREIGN KEY (`location_id`) REFERENCES `locations` (`id`) ON DELETE NO ACTION);
-- create index "nodes_name_key" to table: "nodes"
CREATE UNIQUE INDEX `nodes_name_key` ON `nodes` (`name`);
-- create index "node_created_at" to table: "nodes"
CREATE INDEX `node_created_at` ON `nodes` (`created_at`);
-- create index "node_location_id" to table: "nodes"
CREATE INDEX `node_location_id` ON `nodes` (`location_id`);
-- create index "node_online" to table: "nodes"
CREATE INDEX `node_online` ON `nodes` (`online`);
-- create "node_metrics" table
CREATE TABLE `node_metrics` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `resolution` text NOT NULL, `at` datetime NOT NULL, `samples` integer NOT NULL DEFAULT (1), `cpu_percent_avg` real NOT NULL DEFAULT (0), `cpu_percent_max` real NOT NULL DEFAULT (0), `memory_bytes_avg` integer NOT NULL DEFAULT (0), `memory_bytes_max` integer NOT NULL DEFAULT (0), `network_rx_bytes_avg` integer NOT NULL DEFAULT (0), `network_rx_bytes_max` integer NOT NULL DEFAULT (0), `network_tx_bytes_avg` integer NOT NULL DEFAULT (0), `network_tx_bytes_max` integer NOT NULL DEFAULT (0), `disk_bytes_avg` integer NOT NULL DEFAULT (0), `disk_bytes_max` integer NOT NULL DEFAULT (0), `processes_avg` integer NOT NULL DEFAULT (0), `processes_max` integer NOT NULL DEFAULT (0), `node_id` text NOT NULL, CONSTRAINT `node_metrics_nodes_node` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE CASCADE);
-- create index "nodemetrics_node_id_resolution_at" to table: "node_metrics"
CREATE UNIQUE INDEX `nodemetrics_node_id_resolution_at` ON `node_metrics` (`node_id`, `resolution`, `at`);
-- create index "nodemetrics_resolution_at" to table: "node_metrics"
CREATE INDEX `nodemetrics_resolution_at` ON `node_metrics` (`resolution`, `at`);
-- create "outboxes" table
CREATE TABLE `outboxes` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `topic` text NOT NULL, `payload` json NOT NULL, `attempts` integer NOT NULL DEFAULT (0), `available_at` datetime NOT NULL, `done_at` datetime NULL, `last_error` text NULL, PRIMARY KEY (`id`));
-- create index "outbox_created_at" to table: "outboxes"
CREATE INDEX `outbox_created_at` ON `outboxes` (`created_at`);
-- create index "outbox_done_at_available_at" to table: "outboxes"
CREATE INDEX `outbox_done_at_available_at` ON `outboxes` (`done_at`, `available_at`);
-- create index "outbox_topic" to table: "outboxes"
CREATE INDEX `outbox_topic` ON `outboxes` (`topic`);
-- create "password_resets" table
CREATE TABLE `password_resets` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `token_hash` text NOT NULL, `expires_at` datetime NOT NULL, `used_at` datetime NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `password_resets_users_password_resets` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "password_resets_token_hash_key" to table: "password_resets"
CREATE UNIQUE INDEX `password_resets_token_hash_key` ON `password_resets` (`token_hash`);
-- create index "passwordreset_created_at" to table: "password_resets"
CREATE INDEX `passwordreset_created_at` ON `password_resets` (`created_at`);
-- create index "passwordreset_user_id" to table: "password_resets"
CREATE INDEX `passwordreset_user_id` ON `password_resets` (`user_id`);
-- create index "passwordreset_expires_at" to table: "password_resets"
CREATE INDEX `passwordreset_expires_at` ON `password_resets` (`expires_at`);
-- create "recovery_codes" table
CREATE TABLE `recovery_codes` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `code_hash` text NOT NULL, `used_at` datetime NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `recovery_codes_users_recovery_codes` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "recoverycode_created_at" to table: "recovery_codes"
CREATE INDEX `recoverycode_created_at` ON `recovery_codes` (`created_at`);
-- create index "recoverycode_user_id_code_hash" to table: "recovery_codes"
CREATE UNIQUE INDEX `recoverycode_user_id_code_hash` ON `recovery_codes` (`user_id`, `code_hash`);
-- create "roles" table
CREATE TABLE `roles` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `description` text NOT NULL DEFAULT (''), `permissions` json NOT NULL, `builtin` bool NOT NULL DEFAULT (false), PRIMARY KEY (`id`));
-- create index "roles_name_key" to table: "roles"
CREATE UNIQUE INDEX `roles_name_key` ON `roles` (`name`);
-- create index "role_created_at" to table: "roles"
CREATE INDEX `role_created_at` ON `roles` (`created_at`);
-- create "scheduled_tasks" table
CREATE TABLE `scheduled_tasks` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `schedule` text NOT NULL, `time_zone` text NOT NULL DEFAULT ('UTC'), `steps` json NOT NULL, `only_when_online` bool NOT NULL DEFAULT (false), `enabled` bool NOT NULL DEFAULT (true), `disabled_reason` text NULL, `last_run_at` datetime NULL, `next_run_at` datetime NULL, `run_count` integer NOT NULL DEFAULT (0), `last_status` text NULL, `server_id` text NOT NULL, `author_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `scheduled_tasks_servers_tasks` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE, CONSTRAINT `scheduled_tasks_users_tasks` FOREIGN KEY (`author_id`) REFERENCES `users` (`id`) ON DELETE SET NULL);
-- create index "scheduledtask_created_at" to table: "scheduled_tasks"
CREATE INDEX `scheduledtask_created_at` ON `scheduled_tasks` (`created_at`);
-- create index "scheduledtask_server_id" to table: "scheduled_tasks"
CREATE INDEX `scheduledtask_server_id` ON `scheduled_tasks` (`server_id`);
-- create index "scheduledtask_author_id" to table: "scheduled_tasks"
CREATE INDEX `scheduledtask_author_id` ON `scheduled_tasks` (`author_id`);
-- create index "scheduledtask_name" to table: "scheduled_tasks"
CREATE INDEX `scheduledtask_name` ON `scheduled_tasks` (`name`);
-- create index "scheduledtask_enabled_next_run_at" to table: "scheduled_tasks"
CREATE INDEX `scheduledtask_enabled_next_run_at` ON `scheduled_tasks` (`enabled`, `next_run_at`);
-- create "servers" table
CREATE TABLE `servers` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `description` text NOT NULL DEFAULT (''), `image` text NOT NULL DEFAULT (''), `memory` integer NOT NULL DEFAULT (0), `cpu` integer NOT NULL DEFAULT (0), `disk` integer NOT NULL DEFAULT (0), `swap` integer NOT NULL DEFAULT (0), `environment` json NOT NULL, `network_mode` text NOT NULL DEFAULT ('BRIDGE'), `network` text NULL, `crash_policy` text NOT NULL DEFAULT ('ON_FAILURE'), `crash_max_restarts` integer NOT NULL DEFAULT (3), `crash_window` integer NOT NULL DEFAULT (600), `console_rate_lines` integer NULL, `console_rate_bytes` integer NULL, `backup_limit` integer NULL, `backup_bytes_limit` integer NULL, `suspended` bool NOT NULL DEFAULT (false), `power` text NOT NULL DEFAULT ('STOP'), `generation` integer NOT NULL DEFAULT (1), `run` integer NOT NULL DEFAULT (0), `pending_restart` bool NOT NULL DEFAULT (false), `deleted_at` datetime NULL, `keep_files` bool NOT NULL DEFAULT (false), `state` text NOT NULL DEFAULT ('STOPPED'), `state_reason` text NOT NULL DEFAULT (''), `state_changed_at` datetime NOT NULL, `observed_generation` integer NOT NULL DEFAULT (0), `exit_code` integer NULL, `oom_killed` bool NOT NULL DEFAULT (false), `crash_count` integer NOT NULL DEFAULT (0), `last_lines` json NOT NULL, `installed_at` datetime NULL, `console_seq` integer NOT NULL DEFAULT (0), `node_id` text NOT NULL, `template_id` text NOT NULL, `owner_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `servers_nodes_servers` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_templates_servers` FOREIGN KEY (`template_id`) REFERENCES `templates` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_users_servers` FOREIGN KEY (`owner_id`) REFERENCES `users` (`id`) ON DELETE NO ACTION);
-- create index "server_created_at" to table: "servers"
CREATE INDEX `server_created_at` ON `servers` (`created_at`);
-- create index "server_owner_id" to table: "servers"
CREATE INDEX `server_owner_id` ON `servers` (`owner_id`);
-- create index "server_node_id" to table: "servers"
CREATE INDEX `server_node_id` ON `servers` (`node_id`);
-- create index "server_template_id" to table: "servers"
CREATE INDEX `server_template_id` ON `servers` (`template_id`);
-- create index "server_name" to table: "servers"
CREATE INDEX `server_name` ON `servers` (`name`);
-- create index "server_state" to table: "servers"
CREATE INDEX `server_state` ON `servers` (`state`);
-- create index "server_deleted_at" to table: "servers"
CREATE INDEX `server_deleted_at` ON `servers` (`deleted_at`);
-- create "server_accesses" table
CREATE TABLE `server_accesses` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `permissions` json NOT NULL, `server_id` text NOT NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `server_accesses_servers_accesses` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE, CONSTRAINT `server_accesses_users_server_accesses` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "serveraccess_created_at" to table: "server_accesses"
CREATE INDEX `serveraccess_created_at` ON `server_accesses` (`created_at`);
-- create index "serveraccess_user_id_server_id" to table: "server_accesses"
CREATE UNIQUE INDEX `serveraccess_user_id_server_id` ON `server_accesses` (`user_id`, `server_id`);
-- create index "serveraccess_server_id" to table: "server_accesses"
CREATE INDEX `serveraccess_server_id` ON `server_accesses` (`server_id`);
-- create "server_logs" table
CREATE TABLE `server_logs` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `seq` integer NOT NULL, `at` datetime NOT NULL, `stream` text NOT NULL, `text` text NOT NULL, `server_id` text NOT NULL, CONSTRAINT `server_logs_servers_server` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE);
-- create index "serverlog_server_id_seq" to table: "server_logs"
CREATE UNIQUE INDEX `serverlog_server_id_seq` ON `server_logs` (`server_id`, `seq`);
-- create index "serverlog_server_id_at" to table: "server_logs"
CREATE INDEX `serverlog_server_id_at` ON `server_logs` (`server_id`, `at`);
-- create index "serverlog_at" to table: "server_logs"
CREATE INDEX `serverlog_at` ON `server_logs` (`at`);
-- create "server_metrics" table
CREATE TABLE `server_metrics` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `resolution` text NOT NULL, `at` datetime NOT NULL, `samples` integer NOT NULL DEFAULT (1), `cpu_percent_avg` real NOT NULL DEFAULT (0), `cpu_percent_max` real NOT NULL DEFAULT (0), `memory_bytes_avg` integer NOT NULL DEFAULT (0), `memory_bytes_max` integer NOT NULL DEFAULT (0), `network_rx_bytes_avg` integer NOT NULL DEFAULT (0), `network_rx_bytes_max` integer NOT NULL DEFAULT (0), `network_tx_bytes_avg` integer NOT NULL DEFAULT (0), `network_tx_bytes_max` integer NOT NULL DEFAULT (0), `disk_bytes_avg` integer NOT NULL DEFAULT (0), `disk_bytes_max` integer NOT NULL DEFAULT (0), `processes_avg` integer NOT NULL DEFAULT (0), `processes_max` integer NOT NULL DEFAULT (0), `server_id` text NOT NULL, CONSTRAINT `server_metrics_servers_server` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE);
-- create index "servermetrics_server_id_resolution_at" to table: "server_metrics"
CREATE UNIQUE INDEX `servermetrics_server_id_resolution_at` ON `server_metrics` (`server_id`, `resolution`, `at`);
-- create index "servermetrics_resolution_at" to table: "server_metrics"
CREATE INDEX `servermetrics_resolution_at` ON `server_metrics` (`resolution`, `at`);
-- create "sessions" table
CREATE TABLE `sessions` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `refresh_hash` text NOT NULL, `previous_hash` text NULL, `family` text NOT NULL DEFAULT (''), `ip` text NOT NULL DEFAULT (''), `user_agent` text NOT NULL DEFAULT (''), `expires_at` datetime NOT NULL, `last_used_at` datetime NOT NULL, `revoked_at` datetime NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `sessions_users_sessions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "sessions_refresh_hash_key" to table: "sessions"
CREATE UNIQUE INDEX `sessions_refresh_hash_key` ON `sessions` (`refresh_hash`);
-- create index "session_created_at" to table: "sessions"
CREATE INDEX `session_created_at` ON `sessions` (`created_at`);
-- create index "session_user_id" to table: "sessions"
CREATE INDEX `session_user_id` ON `sessions` (`user_id`);
-- create index "session_previous_hash" to table: "sessions"
CREATE INDEX `session_previous_hash` ON `sessions` (`previous_hash`);
-- create index "session_family" to table: "sessions"
CREATE INDEX `session_family` ON `sessions` (`family`);
-- create index "session_expires_at" to table: "sessions"
CREATE INDEX `session_expires_at` ON `sessions` (`expires_at`);
-- create "settings" table
CREATE TABLE `settings` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `key` text NOT NULL, `value` json NOT NULL, PRIMARY KEY (`id`));
-- create index "settings_key_key" to table: "settings"
CREATE UNIQUE INDEX `settings_key_key` ON `settings` (`key`);
-- create index "setting_created_at" to table: "settings"
CREATE INDEX `setting_created_at` ON `settings` (`created_at`);
-- create "ssh_keys" table
CREATE TABLE `ssh_keys` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `public_key` text NOT NULL, `fingerprint` text NOT NULL, `last_used_at` datetime NULL, `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `ssh_keys_users_ssh_keys` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- create index "sshkey_created_at" to table: "ssh_keys"
CREATE INDEX `sshkey_created_at` ON `ssh_keys` (`created_at`);
-- create index "sshkey_user_id_fingerprint" to table: "ssh_keys"
CREATE UNIQUE INDEX `sshkey_user_id_fingerprint` ON `ssh_keys` (`user_id`, `fingerprint`);
-- create index "sshkey_fingerprint" to table: "ssh_keys"
CREATE INDEX `sshkey_fingerprint` ON `ssh_keys` (`fingerprint`);
-- create index "sshkey_name" to table: "ssh_keys"
CREATE INDEX `sshkey_name` ON `ssh_keys` (`name`);
-- create "task_runs" table
CREATE TABLE `task_runs` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `scheduled_at` datetime NOT NULL, `started_at` datetime NOT NULL, `finished_at` datetime NULL, `state` text NOT NULL DEFAULT ('RUNNING'), `log` json NOT NULL, `manual` bool NOT NULL DEFAULT (false), `lease_until` datetime NOT NULL, `task_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `task_runs_scheduled_tasks_runs` FOREIGN KEY (`task_id`) REFERENCES `scheduled_tasks` (`id`) ON DELETE CASCADE);
-- create index "taskrun_created_at" to table: "task_runs"
CREATE INDEX `taskrun_created_at` ON `task_runs` (`created_at`);
-- create index "taskrun_task_id_scheduled_at" to table: "task_runs"
CREATE UNIQUE INDEX `taskrun_task_id_scheduled_at` ON `task_runs` (`task_id`, `scheduled_at`);
-- create index "taskrun_scheduled_at" to table: "task_runs"
CREATE INDEX `taskrun_scheduled_at` ON `task_runs` (`scheduled_at`);
-- create index "taskrun_state_lease_until" to table: "task_runs"
CREATE INDEX `taskrun_state_lease_until` ON `task_runs` (`state`, `lease_until`);
-- create "templates" table
CREATE TABLE `templates` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `slug` text NULL, `description` text NOT NULL DEFAULT (''), `author` text NOT NULL DEFAULT (''), `builtin` bool NOT NULL DEFAULT (false), `images` json NOT NULL, `default_image` text NOT NULL DEFAULT (''), `startup` text NOT NULL DEFAULT (''), `startup_argv` json NOT NULL, `variables` json NOT NULL, `install_image` text NOT NULL DEFAULT (''), `install_script` text NOT NULL DEFAULT (''), `install_entrypoint` text NOT NULL DEFAULT (''), `install_timeout` integer NOT NULL DEFAULT (1800), `stop_command` text NOT NULL DEFAULT (''), `stop_signal` text NOT NULL DEFAULT ('SIGTERM'), `stop_grace` integer NOT NULL DEFAULT (30), `ready_patterns` json NOT NULL, `start_timeout` integer NOT NULL DEFAULT (300), `crash_policy` text NOT NULL DEFAULT ('ON_FAILURE'), `tty` bool NOT NULL DEFAULT (false), `memory` integer NOT NULL DEFAULT (0), `cpu` integer NOT NULL DEFAULT (0), `disk` integer NOT NULL DEFAULT (0), `swap` integer NOT NULL DEFAULT (0), `ports_wanted` integer NOT NULL DEFAULT (0), `config_files` json NULL, `denied_files` json NOT NULL, `features` json NOT NULL, PRIMARY KEY (`id`));
-- create index "template_created_at" to table: "templates"
CREATE INDEX `template_created_at` ON `templates` (`created_at`);
-- create index "template_name" to table: "templates"
CREATE INDEX `template_name` ON `templates` (`name`);
-- create index "template_slug" to table: "templates"
CREATE INDEX `template_slug` ON `templates` (`slug`);
-- create "transfers" table
CREATE TABLE `transfers` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `state` text NOT NULL DEFAULT ('PENDING'), `progress` real NOT NULL DEFAULT (0), `message` text NULL, `bytes_done` integer NOT NULL DEFAULT (0), `bytes_total` integer NOT NULL DEFAULT (0), `error` text NULL, `completed_at` datetime NULL, `server_id` text NOT NULL, `source_node_id` text NULL, `target_node_id` text NULL, `backup_id` text NULL, `requested_by_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `transfers_servers_transfers` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE, CONSTRAINT `transfers_nodes_source_node` FOREIGN KEY (`source_node_id`) REFERENCES `nodes` (`id`) ON DELETE SET NULL, CONSTRAINT `transfers_nodes_target_node` FOREIGN KEY (`target_node_id`) REFERENCES `nodes` (`id`) ON DELETE SET NULL, CONSTRAINT `transfers_backups_backup` FOREIGN KEY (`backup_id`) REFERENCES `backups` (`id`) ON DELETE SET NULL, CONSTRAINT `transfers_users_requested_by` FOREIGN KEY (`requested_by_id`) REFERENCES `users` (`id`) ON DELETE SET NULL);
-- create index "transfer_created_at" to table: "transfers"
CREATE INDEX `transfer_created_at` ON `transfers` (`created_at`);
-- create index "transfer_server_id" to table: "transfers"
CREATE INDEX `transfer_server_id` ON `transfers` (`server_id`);
-- create index "transfer_source_node_id" to table: "transfers"
CREATE INDEX `transfer_source_node_id` ON `transfers` (`source_node_id`);
-- create index "transfer_target_node_id" to table: "transfers"
CREATE INDEX `transfer_target_node_id` ON `transfers` (`target_node_id`);
-- create index "transfer_backup_id" to table: "transfers"
CREATE INDEX `transfer_backup_id` ON `transfers` (`backup_id`);
-- create index "transfer_requested_by_id" to table: "transfers"
CREATE INDEX `transfer_requested_by_id` ON `transfers` (`requested_by_id`);
-- create index "transfer_state" to table: "transfers"
CREATE INDEX `transfer_state` ON `transfers` (`state`);
-- create "users" table
CREATE TABLE `users` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `email` text NOT NULL, `username` text NOT NULL, `username_key` text NOT NULL, `password_hash` text NOT NULL, `language` text NOT NULL DEFAULT ('en'), `time_zone` text NOT NULL DEFAULT ('UTC'), `suspended` bool NOT NULL DEFAULT (false), `suspended_at` datetime NULL, `totp_secret` text NULL, `totp_enabled` bool NOT NULL DEFAULT (false), `totp_step` integer NOT NULL DEFAULT (0), `last_login_at` datetime NULL, `token_version` integer NOT NULL DEFAULT (0), PRIMARY KEY (`id`));
-- create index "users_email_key" to table: "users"
CREATE UNIQUE INDEX `users_email_key` ON `users` (`email`);
-- create index "users_username_key_key" to table: "users"
CREATE UNIQUE INDEX `users_username_key_key` ON `users` (`username_key`);
-- create index "user_created_at" to table: "users"
CREATE INDEX `user_created_at` ON `users` (`created_at`);
-- create index "user_username" to table: "users"
CREATE INDEX `user_username` ON `users` (`username`);
-- create "webhooks" table
CREATE TABLE `webhooks` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `url` text NOT NULL, `events` json NOT NULL, `secret` blob NULL, `format` text NOT NULL DEFAULT ('JSON'), `enabled` bool NOT NULL DEFAULT (true), `owner_id` text NULL, PRIMARY KEY (`id`), CONSTRAINT `webhooks_users_owner` FOREIGN KEY (`owner_id`) REFERENCES `users` (`id`) ON DELETE SET NULL);
-- create index "webhook_created_at" to table: "webhooks"
CREATE INDEX `webhook_created_at` ON `webhooks` (`created_at`);
-- create index "webhook_owner_id" to table: "webhooks"
CREATE INDEX `webhook_owner_id` ON `webhooks` (`owner_id`);
-- create index "webhook_name" to table: "webhooks"
CREATE INDEX `webhook_name` ON `webhooks` (`name`);
-- create index "webhook_enabled" to table: "webhooks"
CREATE INDEX `webhook_enabled` ON `webhooks` (`enabled`);
-- create "webhook_deliveries" table
CREATE TABLE `webhook_deliveries` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `event` text NOT NULL, `payload` json NOT NULL, `state` text NOT NULL DEFAULT ('PENDING'), `attempts` integer NOT NULL DEFAULT (0), `status_code` integer NULL, `latency_ms` integer NULL, `error` text NULL, `next_attempt_at` datetime NOT NULL, `delivered_at` datetime NULL, `webhook_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `webhook_deliveries_webhooks_deliveries` FOREIGN KEY (`webhook_id`) REFERENCES `webhooks` (`id`) ON DELETE CASCADE);
-- create index "webhookdelivery_created_at" to table: "webhook_deliveries"
CREATE INDEX `webhookdelivery_created_at` ON `webhook_deliveries` (`created_at`);
-- create index "webhookdelivery_webhook_id" to table: "webhook_deliveries"
CREATE INDEX `webhookdelivery_webhook_id` ON `webhook_deliveries` (`webhook_id`);
-- create index "webhookdelivery_event" to table: "webhook_deliveries"
CREATE INDEX `webhookdelivery_event` ON `webhook_deliveries` (`event`);
-- create index "webhookdelivery_state_next_attempt_at" to table: "webhook_deliveries"
CREATE INDEX `webhookdelivery_state_next_attempt_at` ON `webhook_deliveries` (`state`, `next_attempt_at`);
-- create "alert_rule_webhooks" table
CREATE TABLE `alert_rule_webhooks` (`alert_rule_id` text NOT NULL, `webhook_id` text NOT NULL, PRIMARY KEY (`alert_rule_id`, `webhook_id`), CONSTRAINT `alert_rule_webhooks_alert_rule_id` FOREIGN KEY (`alert_rule_id`) REFERENCES `alert_rules` (`id`) ON DELETE CASCADE, CONSTRAINT `alert_rule_webhooks_webhook_id` FOREIGN KEY (`webhook_id`) REFERENCES `webhooks` (`id`) ON DELETE CASCADE);
-- create "user_roles" table
CREATE TABLE `user_roles` (`user_id` text NOT NULL, `role_id` text NOT NULL, PRIMARY KEY (`user_id`, `role_id`), CONSTRAINT `user_roles_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE, CONSTRAINT `user_roles_role_id` FOREIGN KEY (`role_id`) REFERENCES `roles` (`id`) ON DELETE CASCADE);

-- +goose Down
-- reverse: create "user_roles" table
DROP TABLE `user_roles`;
-- reverse: create "alert_rule_webhooks" table
DROP TABLE `alert_rule_webhooks`;
-- reverse: create index "webhookdelivery_state_next_attempt_at" to table: "webhook_deliveries"
DROP INDEX `webhookdelivery_state_next_attempt_at`;
-- reverse: create index "webhookdelivery_event" to table: "webhook_deliveries"
DROP INDEX `webhookdelivery_event`;
-- reverse: create index "webhookdelivery_webhook_id" to table: "webhook_deliveries"
DROP INDEX `webhookdelivery_webhook_id`;
-- reverse: create index "webhookdelivery_created_at" to table: "webhook_deliveries"
DROP INDEX `webhookdelivery_created_at`;
-- reverse: create "webhook_deliveries" table
DROP TABLE `webhook_deliveries`;
-- reverse: create index "webhook_enabled" to table: "webhooks"
DROP INDEX `webhook_enabled`;
-- reverse: create index "webhook_name" to table: "webhooks"
DROP INDEX `webhook_name`;
-- reverse: create index "webhook_owner_id" to table: "webhooks"
DROP INDEX `webhook_owner_id`;
-- reverse: create index "webhook_created_at" to table: "webhooks"
DROP INDEX `webhook_created_at`;
-- reverse: create "webhooks" table
DROP TABLE `webhooks`;
-- reverse: create index "user_username" to table: "users"
DROP INDEX `user_username`;
-- reverse: create index "user_created_at" to table: "users"
DROP INDEX `user_created_at`;
-- reverse: create index "users_username_key_key" to table: "users"
DROP INDEX `users_username_key_key`;
-- reverse: create index "users_email_key" to table: "users"
DROP INDEX `users_email_key`;
-- reverse: create "users" table
DROP TABLE `users`;
-- reverse: create index "transfer_state" to table: "transfers"
DROP INDEX `transfer_state`;
-- reverse: create index "transfer_requested_by_id" to table: "transfers"
DROP INDEX `transfer_requested_by_id`;
-- reverse: create index "transfer_backup_id" to table: "transfers"
DROP INDEX `transfer_backup_id`;
-- reverse: create index "transfer_target_node_id" to table: "transfers"
DROP INDEX `transfer_target_node_id`;
-- reverse: create index "transfer_source_node_id" to table: "transfers"
DROP INDEX `transfer_source_node_id`;
-- reverse: create index "transfer_server_id" to table: "transfers"
DROP INDEX `transfer_server_id`;
-- reverse: create index "transfer_created_at" to table: "transfers"
DROP INDEX `transfer_created_at`;
-- reverse: create "transfers" table
DROP TABLE `transfers`;
-- reverse: create index "template_slug" to table: "templates"
DROP INDEX `template_slug`;
-- reverse: create index "template_name" to table: "templates"
DROP INDEX `template_name`;
-- reverse: create index "template_created_at" to table: "templates"
DROP INDEX `template_created_at`;
-- reverse: create "templates" table
DROP TABLE `templates`;
-- reverse: create index "taskrun_state_lease_until" to table: "task_runs"
DROP INDEX `taskrun_state_lease_until`;
-- reverse: create index "taskrun_scheduled_at" to table: "task_runs"
DROP INDEX `taskrun_scheduled_at`;
-- reverse: create index "taskrun_task_id_scheduled_at" to table: "task_runs"
DROP INDEX `taskrun_task_id_scheduled_at`;
-- reverse: create index "taskrun_created_at" to table: "task_runs"
DROP INDEX `taskrun_created_at`;
-- reverse: create "task_runs" table
DROP TABLE `task_runs`;
-- reverse: create index "sshkey_name" to table: "ssh_keys"
DROP INDEX `sshkey_name`;
-- reverse: create index "sshkey_fingerprint" to table: "ssh_keys"
DROP INDEX `sshkey_fingerprint`;
-- reverse: create index "sshkey_user_id_fingerprint" to table: "ssh_keys"
DROP INDEX `sshkey_user_id_fingerprint`;
-- reverse: create index "sshkey_created_at" to table: "ssh_keys"
DROP INDEX `sshkey_created_at`;
-- reverse: create "ssh_keys" table
DROP TABLE `ssh_keys`;
-- reverse: create index "setting_created_at" to table: "settings"
DROP INDEX `setting_created_at`;
-- reverse: create index "settings_key_key" to table: "settings"
DROP INDEX `settings_key_key`;
-- reverse: create "settings" table
DROP TABLE `settings`;
-- reverse: create index "session_expires_at" to table: "sessions"
DROP INDEX `session_expires_at`;
-- reverse: create index "session_family" to table: "sessions"
DROP INDEX `session_family`;
-- reverse: create index "session_previous_hash" to table: "sessions"
DROP INDEX `session_previous_hash`;
-- reverse: create index "session_user_id" to table: "sessions"
DROP INDEX `session_user_id`;
-- reverse: create index "session_created_at" to table: "sessions"
DROP INDEX `session_created_at`;
-- reverse: create index "sessions_refresh_hash_key" to table: "sessions"
DROP INDEX `sessions_refresh_hash_key`;
-- reverse: create "sessions" table
DROP TABLE `sessions`;
-- reverse: create index "servermetrics_resolution_at" to table: "server_metrics"
DROP INDEX `servermetrics_resolution_at`;
-- reverse: create index "servermetrics_server_id_resolution_at" to table: "server_metrics"
DROP INDEX `servermetrics_server_id_resolution_at`;
-- reverse: create "server_metrics" table
DROP TABLE `server_metrics`;
-- reverse: create index "serverlog_at" to table: "server_logs"
DROP INDEX `serverlog_at`;
-- reverse: create index "serverlog_server_id_at" to table: "server_logs"
DROP INDEX `serverlog_server_id_at`;
-- reverse: create index "serverlog_server_id_seq" to table: "server_logs"
DROP INDEX `serverlog_server_id_seq`;
-- reverse: create "server_logs" table
DROP TABLE `server_logs`;
-- reverse: create index "serveraccess_server_id" to table: "server_accesses"
DROP INDEX `serveraccess_server_id`;
-- reverse: create index "serveraccess_user_id_server_id" to table: "server_accesses"
DROP INDEX `serveraccess_user_id_server_id`;
-- reverse: create index "serveraccess_created_at" to table: "server_accesses"
DROP INDEX `serveraccess_created_at`;
-- reverse: create "server_accesses" table
DROP TABLE `server_accesses`;
-- reverse: create index "server_deleted_at" to table: "servers"
DROP INDEX `server_deleted_at`;
-- reverse: create index "server_state" to table: "servers"
DROP INDEX `server_state`;
-- reverse: create index "server_name" to table: "servers"
DROP INDEX `server_name`;
-- reverse: create index "server_template_id" to table: "servers"
DROP INDEX `server_template_id`;
-- reverse: create index "server_node_id" to table: "servers"
DROP INDEX `server_node_id`;
-- reverse: create index "server_owner_id" to table: "servers"
DROP INDEX `server_owner_id`;
-- reverse: create index "server_created_at" to table: "servers"
DROP INDEX `server_created_at`;
-- reverse: create "servers" table
DROP TABLE `servers`;
-- reverse: create index "scheduledtask_enabled_next_run_at" to table: "scheduled_tasks"
DROP INDEX `scheduledtask_enabled_next_run_at`;
-- reverse: create index "scheduledtask_name" to table: "scheduled_tasks"
DROP INDEX `scheduledtask_name`;
-- reverse: create index "scheduledtask_author_id" to table: "scheduled_tasks"
DROP INDEX `scheduledtask_author_id`;
-- reverse: create index "scheduledtask_server_id" to table: "scheduled_tasks"
DROP INDEX `scheduledtask_server_id`;
-- reverse: create index "scheduledtask_created_at" to table: "scheduled_tasks"
DROP INDEX `scheduledtask_created_at`;
-- reverse: create "scheduled_tasks" table
DROP TABLE `scheduled_tasks`;
-- reverse: create index "role_created_at" to table: "roles"
DROP INDEX `role_created_at`;
-- reverse: create index "roles_name_key" to table: "roles"
DROP INDEX `roles_name_key`;
-- reverse: create "roles" table
DROP TABLE `roles`;
-- reverse: create index "recoverycode_user_id_code_hash" to table: "recovery_codes"
DROP INDEX `recoverycode_user_id_code_hash`;
-- reverse: create index "recoverycode_created_at" to table: "recovery_codes"
DROP INDEX `recoverycode_created_at`;
-- reverse: create "recovery_codes" table
DROP TABLE `recovery_codes`;
-- reverse: create index "passwordreset_expires_at" to table: "password_resets"
DROP INDEX `passwordreset_expires_at`;
-- reverse: create index "passwordreset_user_id" to table: "password_resets"
DROP INDEX `passwordreset_user_id`;
-- reverse: create index "passwordreset_created_at" to table: "password_resets"
DROP INDEX `passwordreset_created_at`;
-- reverse: create index "password_resets_token_hash_key" to table: "password_resets"
DROP INDEX `password_resets_token_hash_key`;
-- reverse: create "password_resets" table
DROP TABLE `password_resets`;
-- reverse: create index "outbox_topic" to table: "outboxes"
DROP INDEX `outbox_topic`;
-- reverse: create index "outbox_done_at_available_at" to table: "outboxes"
DROP INDEX `outbox_done_at_available_at`;
-- reverse: create index "outbox_created_at" to table: "outboxes"
DROP INDEX `outbox_created_at`;
-- reverse: create "outboxes" table
DROP TABLE `outboxes`;
-- reverse: create index "nodemetrics_resolution_at" to table: "node_metrics"
DROP INDEX `nodemetrics_resolution_at`;
-- reverse: create index "nodemetrics_node_id_resolution_at" to table: "node_metrics"
DROP INDEX `nodemetrics_node_id_resolution_at`;
-- reverse: create "node_metrics" table
DROP TABLE `node_metrics`;
-- reverse: create index "node_online" to table: "nodes"
DROP INDEX `node_online`;
-- reverse: create index "node_location_id" to table: "nodes"
DROP INDEX `node_location_id`;
-- reverse: create index "node_created_at" to table: "nodes"
DROP INDEX `node_created_at`;
-- reverse: create index "nodes_name_key" to table: "nodes"
DROP INDEX `nodes_name_key`;
-- reverse: create "nodes" table
DROP TABLE `nodes`;
-- reverse: create index "location_created_at" to table: "locations"
DROP INDEX `location_created_at`;
-- reverse: create index "locations_name_key" to table: "locations"
DROP INDEX `locations_name_key`;
-- reverse: create "locations" table
DROP TABLE `locations`;
-- reverse: create index "invite_expires_at" to table: "invites"
DROP INDEX `invite_expires_at`;
-- reverse: create index "invite_email" to table: "invites"
DROP INDEX `invite_email`;
-- reverse: create index "invite_created_by_id" to table: "invites"
DROP INDEX `invite_created_by_id`;
-- reverse: create index "invite_server_id" to table: "invites"
DROP INDEX `invite_server_id`;
-- reverse: create index "invite_created_at" to table: "invites"
DROP INDEX `invite_created_at`;
-- reverse: create index "invites_token_hash_key" to table: "invites"
DROP INDEX `invites_token_hash_key`;
-- reverse: create "invites" table
DROP TABLE `invites`;
-- reverse: create index "enrolmenttoken_expires_at" to table: "enrolment_tokens"
DROP INDEX `enrolmenttoken_expires_at`;
-- reverse: create index "enrolmenttoken_node_id" to table: "enrolment_tokens"
DROP INDEX `enrolmenttoken_node_id`;
-- reverse: create index "enrolmenttoken_created_at" to table: "enrolment_tokens"
DROP INDEX `enrolmenttoken_created_at`;
-- reverse: create index "enrolment_tokens_token_hash_key" to table: "enrolment_tokens"
DROP INDEX `enrolment_tokens_token_hash_key`;
-- reverse: create "enrolment_tokens" table
DROP TABLE `enrolment_tokens`;
-- reverse: create index "backupstorage_created_at" to table: "backup_storages"
DROP INDEX `backupstorage_created_at`;
-- reverse: create index "backup_storages_name_key" to table: "backup_storages"
DROP INDEX `backup_storages_name_key`;
-- reverse: create "backup_storages" table
DROP TABLE `backup_storages`;
-- reverse: create index "backup_state" to table: "backups"
DROP INDEX `backup_state`;
-- reverse: create index "backup_name" to table: "backups"
DROP INDEX `backup_name`;
-- reverse: create index "backup_task_run_id" to table: "backups"
DROP INDEX `backup_task_run_id`;
-- reverse: create index "backup_created_by_id" to table: "backups"
DROP INDEX `backup_created_by_id`;
-- reverse: create index "backup_storage_id" to table: "backups"
DROP INDEX `backup_storage_id`;
-- reverse: create index "backup_server_id_state" to table: "backups"
DROP INDEX `backup_server_id_state`;
-- reverse: create index "backup_created_at" to table: "backups"
DROP INDEX `backup_created_at`;
-- reverse: create "backups" table
DROP TABLE `backups`;
-- reverse: create index "auditlog_request_id" to table: "audit_logs"
DROP INDEX `auditlog_request_id`;
-- reverse: create index "auditlog_ip" to table: "audit_logs"
DROP INDEX `auditlog_ip`;
-- reverse: create index "auditlog_server_id_created_at" to table: "audit_logs"
DROP INDEX `auditlog_server_id_created_at`;
-- reverse: create index "auditlog_target_type_target_id" to table: "audit_logs"
DROP INDEX `auditlog_target_type_target_id`;
-- reverse: create index "auditlog_action_created_at" to table: "audit_logs"
DROP INDEX `auditlog_action_created_at`;
-- reverse: create index "auditlog_actor_name" to table: "audit_logs"
DROP INDEX `auditlog_actor_name`;
-- reverse: create index "auditlog_actor_id_created_at" to table: "audit_logs"
DROP INDEX `auditlog_actor_id_created_at`;
-- reverse: create index "auditlog_created_at" to table: "audit_logs"
DROP INDEX `auditlog_created_at`;
-- reverse: create "audit_logs" table
DROP TABLE `audit_logs`;
-- reverse: create index "apikey_name" to table: "api_keys"
DROP INDEX `apikey_name`;
-- reverse: create index "apikey_user_id" to table: "api_keys"
DROP INDEX `apikey_user_id`;
-- reverse: create index "apikey_created_at" to table: "api_keys"
DROP INDEX `apikey_created_at`;
-- reverse: create index "api_keys_key_hash_key" to table: "api_keys"
DROP INDEX `api_keys_key_hash_key`;
-- reverse: create "api_keys" table
DROP TABLE `api_keys`;
-- reverse: create index "allocation_port" to table: "allocations"
DROP INDEX `allocation_port`;
-- reverse: create index "allocation_ip" to table: "allocations"
DROP INDEX `allocation_ip`;
-- reverse: create index "allocation_server_id" to table: "allocations"
DROP INDEX `allocation_server_id`;
-- reverse: create index "allocation_node_id_ip_port" to table: "allocations"
DROP INDEX `allocation_node_id_ip_port`;
-- reverse: create index "allocation_created_at" to table: "allocations"
DROP INDEX `allocation_created_at`;
-- reverse: create "allocations" table
DROP TABLE `allocations`;
-- reverse: create index "alertrule_enabled" to table: "alert_rules"
DROP INDEX `alertrule_enabled`;
-- reverse: create index "alertrule_name" to table: "alert_rules"
DROP INDEX `alertrule_name`;
-- reverse: create index "alertrule_created_by_id" to table: "alert_rules"
DROP INDEX `alertrule_created_by_id`;
-- reverse: create index "alertrule_server_id" to table: "alert_rules"
DROP INDEX `alertrule_server_id`;
-- reverse: create index "alertrule_node_id" to table: "alert_rules"
DROP INDEX `alertrule_node_id`;
-- reverse: create index "alertrule_created_at" to table: "alert_rules"
DROP INDEX `alertrule_created_at`;
-- reverse: create "alert_rules" table
DROP TABLE `alert_rules`;
-- reverse: create index "alert_last_seen_at" to table: "alerts"
DROP INDEX `alert_last_seen_at`;
-- reverse: create index "alert_resolved_created_at" to table: "alerts"
DROP INDEX `alert_resolved_created_at`;
-- reverse: create index "alert_severity" to table: "alerts"
DROP INDEX `alert_severity`;
-- reverse: create index "alert_type" to table: "alerts"
DROP INDEX `alert_type`;
-- reverse: create index "alert_resolved_by_id" to table: "alerts"
DROP INDEX `alert_resolved_by_id`;
-- reverse: create index "alert_node_id_resolved" to table: "alerts"
DROP INDEX `alert_node_id_resolved`;
-- reverse: create index "alert_server_id_resolved" to table: "alerts"
DROP INDEX `alert_server_id_resolved`;
-- reverse: create index "alert_rule_id" to table: "alerts"
DROP INDEX `alert_rule_id`;
-- reverse: create index "alert_created_at" to table: "alerts"
DROP INDEX `alert_created_at`;
-- reverse: create "alerts" table
DROP TABLE `alerts`;
