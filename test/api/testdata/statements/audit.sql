SELECT audit_logs.id, audit_logs.action, audit_logs.actor_name, audit_logs.created_at, audit_logs.actor_id FROM audit_logs ORDER BY audit_logs.id LIMIT 51;
SELECT users.id, users.username FROM users WHERE users.id IN (?, ?, ?);
