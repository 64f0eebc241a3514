-- +goose Up
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_templates" table
CREATE TABLE `new_templates` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `slug` text NULL, `description` text NOT NULL DEFAULT (''), `author` text NOT NULL DEFAULT (''), `tags` json NOT NULL DEFAULT '[]', `revision` integer NOT NULL DEFAULT (1), `builtin` bool NOT NULL DEFAULT (false), `images` json NOT NULL, `default_image` text NOT NULL DEFAULT (''), `architectures` json NOT NULL DEFAULT '[]', `startup` text NOT NULL DEFAULT (''), `startup_argv` json NOT NULL, `startup_commands` json NOT NULL DEFAULT '[]', `image_entrypoint` bool NOT NULL DEFAULT (false), `variables` json NOT NULL, `install_image` text NOT NULL DEFAULT (''), `install_script` text NOT NULL DEFAULT (''), `install_entrypoint` text NOT NULL DEFAULT (''), `install_timeout` integer NOT NULL DEFAULT (1800), `install_clear` bool NOT NULL DEFAULT (false), `install_keep` json NOT NULL, `stop_command` text NOT NULL DEFAULT (''), `stop_signal` text NOT NULL DEFAULT ('SIGTERM'), `stop_grace` integer NOT NULL DEFAULT (30), `ready_patterns` json NOT NULL, `start_timeout` integer NOT NULL DEFAULT (300), `crash_policy` text NOT NULL DEFAULT ('ON_FAILURE'), `tty` bool NOT NULL DEFAULT (false), `memory` integer NOT NULL DEFAULT (0), `cpu` integer NOT NULL DEFAULT (0), `disk` integer NOT NULL DEFAULT (0), `swap` integer NOT NULL DEFAULT (0), `ports_wanted` integer NOT NULL DEFAULT (0), `minimum_memory` integer NOT NULL DEFAULT (0), `minimum_cpu` integer NOT NULL DEFAULT (0), `minimum_disk` integer NOT NULL DEFAULT (0), `config_files` json NULL, `backup_before` json NOT NULL DEFAULT '[]', `backup_after` json NOT NULL DEFAULT '[]', `denied_files` json NOT NULL, `features` json NOT NULL, PRIMARY KEY (`id`));
-- copy rows from old table "templates" to new temporary table "new_templates"
INSERT INTO `new_templates` (`id`, `created_at`, `updated_at`, `name`, `slug`, `description`, `author`, `tags`, `revision`, `builtin`, `images`, `default_image`, `architectures`, `startup`, `startup_argv`, `startup_commands`, `image_entrypoint`, `variables`, `install_image`, `install_script`, `install_entrypoint`, `install_timeout`, `stop_command`, `stop_signal`, `stop_grace`, `ready_patterns`, `start_timeout`, `crash_policy`, `tty`, `memory`, `cpu`, `disk`, `swap`, `ports_wanted`, `minimum_memory`, `minimum_cpu`, `minimum_disk`, `config_files`, `backup_before`, `backup_after`, `denied_files`, `features`) SELECT `id`, `created_at`, `updated_at`, `name`, `slug`, `description`, `author`, `tags`, `revision`, `builtin`, `images`, `default_image`, `architectures`, `startup`, `startup_argv`, `startup_commands`, `image_entrypoint`, `variables`, `install_image`, `install_script`, `install_entrypoint`, `install_timeout`, `stop_command`, `stop_signal`, `stop_grace`, `ready_patterns`, `start_timeout`, `crash_policy`, `tty`, `memory`, `cpu`, `disk`, `swap`, `ports_wanted`, `minimum_memory`, `minimum_cpu`, `minimum_disk`, `config_files`, `backup_before`, `backup_after`, `denied_files`, `features` FROM `templates`;
-- drop "templates" table after copying rows
DROP TABLE `templates`;
-- rename temporary table "new_templates" to "templates"
ALTER TABLE `new_templates` RENAME TO `templates`;
-- create index "template_created_at" to table: "templates"
CREATE INDEX `template_created_at` ON `templates` (`created_at`);
-- create index "template_name" to table: "templates"
CREATE INDEX `template_name` ON `templates` (`name`);
-- create index "template_slug" to table: "templates"
CREATE UNIQUE INDEX `template_slug` ON `templates` (`slug`);
-- create "new_servers" table
CREATE TABLE `new_servers` (`id` text NOT NULL, `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `description` text NOT NULL DEFAULT (''), `template_revision` integer NOT NULL DEFAULT (1), `startup_command` text NOT NULL DEFAULT (''), `image` text NOT NULL DEFAULT (''), `memory` integer NOT NULL DEFAULT (0), `cpu` integer NOT NULL DEFAULT (0), `disk` integer NOT NULL DEFAULT (0), `swap` integer NOT NULL DEFAULT (0), `environment` json NOT NULL, `network_mode` text NOT NULL DEFAULT ('BRIDGE'), `network` text NULL, `crash_policy` text NOT NULL DEFAULT ('ON_FAILURE'), `crash_max_restarts` integer NOT NULL DEFAULT (3), `crash_window` integer NOT NULL DEFAULT (600), `console_rate_lines` integer NULL, `console_rate_bytes` integer NULL, `backup_limit` integer NULL, `backup_bytes_limit` integer NULL, `suspended` bool NOT NULL DEFAULT (false), `power` text NOT NULL DEFAULT ('STOP'), `generation` integer NOT NULL DEFAULT (1), `run` integer NOT NULL DEFAULT (0), `install` integer NOT NULL DEFAULT (0), `install_seq` integer NOT NULL DEFAULT (0), `pending_restart` bool NOT NULL DEFAULT (false), `deleted_at` datetime NULL, `keep_files` bool NOT NULL DEFAULT (false), `state` text NOT NULL DEFAULT ('STOPPED'), `state_reason` text NOT NULL DEFAULT (''), `state_changed_at` datetime NOT NULL, `observed_generation` integer NOT NULL DEFAULT (0), `exit_code` integer NULL, `oom_killed` bool NOT NULL DEFAULT (false), `crash_count` integer NOT NULL DEFAULT (0), `last_lines` json NOT NULL, `installed_at` datetime NULL, `crash_resets` integer NOT NULL DEFAULT (0), `console_seq` integer NOT NULL DEFAULT (0), `console_bytes` integer NOT NULL DEFAULT (0), `node_id` text NOT NULL, `template_id` text NOT NULL, `owner_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `servers_nodes_servers` FOREIGN KEY (`node_id`) REFERENCES `nodes` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_templates_servers` FOREIGN KEY (`template_id`) REFERENCES `templates` (`id`) ON DELETE NO ACTION, CONSTRAINT `servers_users_servers` FOREIGN KEY (`owner_id`) REFERENCES `users` (`id`) ON DELETE NO ACTION);
-- copy rows from old table "servers" to new temporary table "new_servers"
INSERT INTO `new_servers` (`id`, `created_at`, `updated_at`, `name`, `description`, `template_revision`, `startup_command`, `image`, `memory`, `cpu`, `disk`, `swap`, `environment`, `network_mode`, `network`, `crash_policy`, `crash_max_restarts`, `crash_window`, `console_rate_lines`, `console_rate_bytes`, `backup_limit`, `backup_bytes_limit`, `suspended`, `power`, `generation`, `run`, `pending_restart`, `deleted_at`, `keep_files`, `state`, `state_reason`, `state_changed_at`, `observed_generation`, `exit_code`, `oom_killed`, `crash_count`, `last_lines`, `installed_at`, `crash_resets`, `console_seq`, `console_bytes`, `node_id`, `template_id`, `owner_id`) SELECT `id`, `created_at`, `updated_at`, `name`, `description`, `template_revision`, `startup_command`, `image`, `memory`, `cpu`, `disk`, `swap`, `environment`, `network_mode`, `network`, `crash_policy`, `crash_max_restarts`, `crash_window`, `console_rate_lines`, `console_rate_bytes`, `backup_limit`, `backup_bytes_limit`, `suspended`, `power`, `generation`, `run`, `pending_restart`, `deleted_at`, `keep_files`, `state`, `state_reason`, `state_changed_at`, `observed_generation`, `exit_code`, `oom_killed`, `crash_count`, `last_lines`, `installed_at`, `crash_resets`, `console_seq`, `console_bytes`, `node_id`, `template_id`, `owner_id` FROM `servers`;
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
-- reverse: create index "template_slug" to table: "templates"
DROP INDEX `template_slug`;
-- reverse: create index "template_name" to table: "templates"
DROP INDEX `template_name`;
-- reverse: create index "template_created_at" to table: "templates"
DROP INDEX `template_created_at`;
-- reverse: create "new_templates" table
DROP TABLE `new_templates`;
