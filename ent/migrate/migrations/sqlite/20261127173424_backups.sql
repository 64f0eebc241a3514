-- +goose Up
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_backups" table
CREATE TABLE `new_backups` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `state` text NOT NULL DEFAULT ('PENDING'), `progress` real NOT NULL DEFAULT (0), `message` text NULL, `size` integer NULL, `checksum` text NULL, `path` text NULL, `compression` text NOT NULL DEFAULT ('ZSTD'), `ignore_patterns` json NOT NULL, `locked` bool NOT NULL DEFAULT (false), `error` text NULL, `completed_at` datetime NULL, `files` integer NULL, `cancelling` bool NOT NULL DEFAULT (false), `upload_id` text NULL, `deleted_at` datetime NULL, `created_by_id` text NULL, `task_run_id` text NULL, `storage_id` text NULL, `server_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `backups_users_created_by` FOREIGN KEY (`created_by_id`) REFERENCES `users` (`id`) ON DELETE SET NULL, CONSTRAINT `backups_task_runs_task_run` FOREIGN KEY (`task_run_id`) REFERENCES `task_runs` (`id`) ON DELETE SET NULL, CONSTRAINT `backups_backup_storages_backups` FOREIGN KEY (`storage_id`) REFERENCES `backup_storages` (`id`) ON DELETE NO ACTION, CONSTRAINT `backups_servers_backups` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE);
-- copy rows from old table "backups" to new temporary table "new_backups"
INSERT INTO `new_backups` (`id`, `created_at`, `updated_at`, `name`, `state`, `progress`, `message`, `size`, `checksum`, `path`, `compression`, `ignore_patterns`, `locked`, `error`, `completed_at`, `created_by_id`, `task_run_id`, `storage_id`, `server_id`) SELECT `id`, `created_at`, `updated_at`, `name`, `state`, `progress`, `message`, `size`, `checksum`, `path`, `compression`, `ignore_patterns`, `locked`, `error`, `completed_at`, `created_by_id`, `task_run_id`, `storage_id`, `server_id` FROM `backups`;
-- drop "backups" table after copying rows
DROP TABLE `backups`;
-- rename temporary table "new_backups" to "backups"
ALTER TABLE `new_backups` RENAME TO `backups`;
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
-- create index "backup_deleted_at" to table: "backups"
CREATE INDEX `backup_deleted_at` ON `backups` (`deleted_at`);
-- create "new_servers" table
CREATE TABLE `new_servers` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `description` text NOT NULL DEFAULT (''), `template_revision` integer NOT NULL DEFAULT (1), `startup_command` text NOT NULL DEFAULT (''), `image` text NOT NULL DEFAULT (''), `memory` integer NOT NULL DEFAULT (0), `cpu` integer NOT NULL DEFAULT (0), `disk` integer NOT NULL DEFAULT (0), `swap` integer NOT NULL DEFAULT (0), `environment` json NOT NULL, `network_mode` text NOT NULL DEFAULT ('BRIDGE'), `network` text NULL, `crash_policy` text NOT NULL DEFAULT ('ON_FAILURE'), `crash_max_restarts` integer NOT NULL DEFAULT (3), `crash_window` integer NOT NULL DEFAULT (600), `console_rate_lines` integer NULL, `console_rate_bytes` integer NULL, `backup_limit` integer NULL, `backup_bytes_limit` integer NULL, `backup_keep` integer NULL, `backup_keep_days` integer NULL, `suspended` bool NOT NULL DEFAULT (false), `power` text NOT NULL DEFAULT ('STOP'), `generation` integer NOT NULL DEFAULT (1), `run` integer NOT NULL DEFAULT (0), `install` integer NOT NULL DEFAULT (0), `install_seq` integer NOT NULL DEFAULT (0), `restore` integer NOT NULL DEFAULT (0), `restore_backup_id` text NULL, `restore_truncate` bool NOT NULL DEFAULT (false), `restore_paths` json NULL, `pending_restart` bool NOT NULL DEFAULT (false), `deleted_at` datetime NULL, `keep_files` bool NOT NULL DEFAULT (false), `state` text NOT NULL DEFAULT ('STOPPED'), `state_reason` text NOT NULL DEFAULT (''), `state_changed_at` datetime NOT NULL, `observed_generation` integer NOT NULL DEFAULT (0), `exit_code` integer NULL, `oom_killed` bool NOT NULL DEFAULT (false), `crash_count` integer NOT NULL DEFAULT (0), `last_lines` json NOT NULL, `installed_at` datetime NULL, `crash_resets` integer NOT NULL DEFAULT (0), `console_seq` integer NOT NULL DEFAULT (0), `console_bytes` integer NOT NULL DEFAULT (0), `node_id` text NOT NULL, `template_id` text NOT NULL, `owner_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `servers_nodes_servers` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_templates_servers` FOREIGN KEY (`template_id`) REFERENCES `templates` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_users_servers` FOREIGN KEY (`owner_id`) REFERENCES `users` (`id`) ON DELETE NO ACTION);
-- copy rows from old table "servers" to new temporary table "new_servers"
INSERT INTO `new_servers` (`id`, `created_at`, `updated_at`, `name`, `description`, `template_revision`, `startup_command`, `image`, `memory`, `cpu`, `disk`, `swap`, `environment`, `network_mode`, `network`, `crash_policy`, `crash_max_restarts`, `crash_window`, `console_rate_lines`, `console_rate_bytes`, `backup_limit`, `backup_bytes_limit`, `suspended`, `power`, `generation`, `run`, `install`, `install_seq`, `pending_restart`, `deleted_at`, `keep_files`, `state`, `state_reason`, `state_changed_at`, `observed_generation`, `exit_code`, `oom_killed`, `crash_count`, `last_lines`, `installed_at`, `crash_resets`, `console_seq`, `console_bytes`, `node_id`, `template_id`, `owner_id`) SELECT `id`, `created_at`, `updated_at`, `name`, `description`, `template_revision`, `startup_command`, `image`, `memory`, `cpu`, `disk`, `swap`, `environment`, `network_mode`, `network`, `crash_policy`, `crash_max_restarts`, `crash_window`, `console_rate_lines`, `console_rate_bytes`, `backup_limit`, `backup_bytes_limit`, `suspended`, `power`, `generation`, `run`, `install`, `install_seq`, `pending_restart`, `deleted_at`, `keep_files`, `state`, `state_reason`, `state_changed_at`, `observed_generation`, `exit_code`, `oom_killed`, `crash_count`, `last_lines`, `installed_at`, `crash_resets`, `console_seq`, `console_bytes`, `node_id`, `template_id`, `owner_id` FROM `servers`;
-- drop "servers" table after copying rows
DROP TABLE `servers`;
-- rename temporary table "new_servers" to "servers"
ALTER TABLE `new_servers` RENAME TO `servers`;
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
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;

-- +goose Down
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
-- reverse: create "new_servers" table
DROP TABLE `new_servers`;
-- reverse: create index "backup_deleted_at" to table: "backups"
DROP INDEX `backup_deleted_at`;
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
-- reverse: create "new_backups" table
DROP TABLE `new_backups`;
