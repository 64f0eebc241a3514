SELECT users.id, users.created_at, users.updated_at, users.email, users.username, users.username_key, users.password_hash, users.language, users.time_zone, users.suspended, users.suspended_at, users.totp_secret, users.totp_enabled, users.totp_step, users.last_login_at, users.token_version FROM users WHERE users.id = ? LIMIT 2;
SELECT DISTINCT api_keys.id, api_keys.name FROM api_keys WHERE user_id = ? AND api_keys.user_id = ? ORDER BY api_keys.id LIMIT 26;
SELECT DISTINCT sessions.id FROM sessions WHERE user_id = ? AND sessions.user_id = ? ORDER BY sessions.id LIMIT 26;
SELECT DISTINCT ssh_keys.id FROM ssh_keys WHERE user_id = ? AND ssh_keys.user_id = ? ORDER BY ssh_keys.id LIMIT 26;
