-- +goose Up
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_servers" table
CREATE TABLE `new_servers` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `description` text NOT NULL DEFAULT (''), `image` text NOT NULL DEFAULT (''), `memory` integer NOT NULL DEFAULT (0), `cpu` integer NOT NULL DEFAULT (0), `disk` integer NOT NULL DEFAULT (0), `swap` integer NOT NULL DEFAULT (0), `environment` json NOT NULL, `network_mode` text NOT NULL DEFAULT ('BRIDGE'), `network` text NULL, `crash_policy` text NOT NULL DEFAULT ('ON_FAILURE'), `crash_max_restarts` integer NOT NULL DEFAULT (3), `crash_window` integer NOT NULL DEFAULT (600), `console_rate_lines` integer NULL, `console_rate_bytes` integer NULL, `backup_limit` integer NULL, `backup_bytes_limit` integer NULL, `suspended` bool NOT NULL DEFAULT (false), `power` text NOT NULL DEFAULT ('STOP'), `generation` integer NOT NULL DEFAULT (1), `run` integer NOT NULL DEFAULT (0), `pending_restart` bool NOT NULL DEFAULT (false), `deleted_at` datetime NULL, `keep_files` bool NOT NULL DEFAULT (false), `state` text NOT NULL DEFAULT ('STOPPED'), `state_reason` text NOT NULL DEFAULT (''), `state_changed_at` datetime NOT NULL, `observed_generation` integer NOT NULL DEFAULT (0), `exit_code` integer NULL, `oom_killed` bool NOT NULL DEFAULT (false), `crash_count` integer NOT NULL DEFAULT (0), `last_lines` json NOT NULL, `installed_at` datetime NULL, `console_seq` integer NOT NULL DEFAULT (0), `console_bytes` integer NOT NULL DEFAULT (0), `node_id` text NOT NULL, `template_id` text NOT NULL, `owner_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `servers_nodes_servers` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_templates_servers` FOREIGN KEY (`template_id`) REFERENCES `templates` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_users_servers` FOREIGN KEY (`owner_id`) REFERENCES `users` (`id`) ON DELETE NO ACTION);
-- copy rows from old table "servers" to new temporary table "new_servers"
INSERT INTO `new_servers` (`id`, `created_at`, `updated_at`, `name`, `description`, `image`, `memory`, `cpu`, `disk`, `swap`, `environment`, `network_mode`, `network`, `crash_policy`, `crash_max_restarts`, `crash_window`, `console_rate_lines`, `console_rate_bytes`, `backup_limit`, `backup_bytes_limit`, `suspended`, `power`, `generation`, `run`, `pending_restart`, `deleted_at`, `keep_files`, `state`, `state_reason`, `state_changed_at`, `observed_generation`, `exit_code`, `oom_killed`, `crash_count`, `last_lines`, `installed_at`, `console_seq`, `node_id`, `template_id`, `owner_id`) SELECT `id`, `created_at`, `updated_at`, `name`, `description`, `image`, `memory`, `cpu`, `disk`, `swap`, `environment`, `network_mode`, `network`, `crash_policy`, `crash_max_restarts`, `crash_window`, `console_rate_lines`, `console_rate_bytes`, `backup_limit`, `backup_bytes_limit`, `suspended`, `power`, `generation`, `run`, `pending_restart`, `deleted_at`, `keep_files`, `state`, `state_reason`, `state_changed_at`, `observed_generation`, `exit_code`, `oom_killed`, `crash_count`, `last_lines`, `installed_at`, `console_seq`, `node_id`, `template_id`, `owner_id` FROM `servers`;
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
-- create "new_server_logs" table
CREATE TABLE `new_server_logs` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `seq` integer NOT NULL, `at` datetime NOT NULL, `stream` text NOT NULL, `text` text NOT NULL, `bytes_upto` integer NOT NULL DEFAULT (0), `server_id` text NOT NULL, CONSTRAINT `server_logs_servers_server` FOREIGN KEY (`server_id`) REFERENCES `servers` (`id`) ON DELETE CASCADE);
-- copy rows from old table "server_logs" to new temporary table "new_server_logs"
INSERT INTO `new_server_logs` (`id`, `seq`, `at`, `stream`, `text`, `server_id`) SELECT `id`, `seq`, `at`, `stream`, `text`, `server_id` FROM `server_logs`;
-- drop "server_logs" table after copying rows
DROP TABLE `server_logs`;
-- rename temporary table "new_server_logs" to "server_logs"
ALTER TABLE `new_server_logs` RENAME TO `server_logs`;
-- create index "serverlog_server_id_seq" to table: "server_logs"
CREATE UNIQUE INDEX `serverlog_server_id_seq` ON `server_logs` (`server_id`, `seq`);
-- create index "serverlog_server_id_at" to table: "server_logs"
CREATE INDEX `serverlog_server_id_at` ON `server_logs` (`server_id`, `at`);
-- create index "serverlog_at" to table: "server_logs"
CREATE INDEX `serverlog_at` ON `server_logs` (`at`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;

-- +goose Down
-- reverse: create index "serverlog_at" to table: "server_logs"
DROP INDEX `serverlog_at`;
-- reverse: create index "serverlog_server_id_at" to table: "server_logs"
DROP INDEX `serverlog_server_id_at`;
-- reverse: create index "serverlog_server_id_seq" to table: "server_logs"
DROP INDEX `serverlog_server_id_seq`;
-- reverse: create "new_server_logs" table
DROP TABLE `new_server_logs`;
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
