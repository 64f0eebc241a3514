package schema

import (
	"entgo.io/contrib/entgql"
	"entgo.io/ent"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
	"entgo.io/ent/schema/index"

	"github.com/catalyst-panel/catalyst/internal/kind"
)

// User is an account.
type User struct{ ent.Schema }

// Mixin returns the identity of the entity.
func (User) Mixin() []ent.Mixin { return []ent.Mixin{Entity{Prefix: kind.PrefixUser}} }

// Annotations describes the entity and lists it.
func (User) Annotations() []schema.Annotation {
	return append(connected("users", "The accounts that the viewer may see."),
		announced("user"), schema.Comment("An account: a person, or a program that acts like one."))
}

// Fields returns the columns.
func (User) Fields() []ent.Field {
	return []ent.Field{
		field.String("email").Unique().NotEmpty().MaxLen(320).
			Annotations(entgql.OrderField("EMAIL"), filterable()).
			Comment("Address of the account, in lower case. Unique."),
		field.String("username").NotEmpty().MaxLen(64).
			Annotations(entgql.OrderField("USERNAME"), filterable()).
			Comment("Name to sign in with, as its owner writes it. Unique whatever the case."),
		field.String("username_key").Unique().NotEmpty().MaxLen(64).
			Annotations(hidden()).
			Comment("The name in lower case, which makes it unique whatever the case."),
		field.String("password_hash").Sensitive().
			Annotations(hidden()).
			Comment("Hash of the password; empty for an account that cannot sign in by password."),
		field.String("language").Default("en").MaxLen(16).
			Comment("Language the account prefers, as a BCP 47 tag."),
		field.String("time_zone").Default("UTC").MaxLen(64).
			Comment("Time zone the account prefers, as an IANA name."),
		field.Bool("suspended").Default(false).
			Annotations(filterable()).
			Comment("Whether the account is barred from signing in."),
		field.Time("suspended_at").Optional().Nillable().
			Comment("Since when the account is barred, if it is."),
		field.String("totp_secret").Optional().Nillable().Sensitive().
			Annotations(hidden()).
			Comment("Secret of the second factor, from the moment its set-up begins."),
		field.Bool("totp_enabled").Default(false).
			Comment("Whether signing in asks for a second factor."),
		field.Int64("totp_step").Default(0).NonNegative().
			Annotations(hidden()).
			Comment("Time step of the last code that was accepted: a code works once."),
		field.Time("last_login_at").Optional().Nillable().
			Comment("When the account last signed in."),
		field.Int("token_version").Default(0).NonNegative().
			Annotations(hidden()).
			Comment("Counter that is in every access token: raising it ends them all."),
	}
}

// Edges returns the relations.
func (User) Edges() []ent.Edge {
	return []ent.Edge{
		edge.To("roles", Role.Type).
			Annotations(entgql.RelayConnection()).
			Comment("Roles that give the account its global permissions."),
		edge.To("servers", Server.Type).
			Annotations(entgql.RelayConnection(), restrict()).
			Comment("Servers the account owns."),
		edge.To("server_accesses", ServerAccess.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Servers of others that the account was let into."),
		edge.To("api_keys", ApiKey.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Keys that programs use in the account's name."),
		edge.To("ssh_keys", SshKey.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Public keys for SFTP."),
		edge.To("sessions", Session.Type).
			Annotations(entgql.RelayConnection(), cascade()).
			Comment("Places where the account is signed in."),
		edge.To("tasks", ScheduledTask.Type).
			Annotations(hidden(), setNull()).
			Comment("Scheduled tasks that run in the account's name."),
		edge.To("recovery_codes", RecoveryCode.Type).
			Annotations(hidden(), cascade()).
			Comment("Codes that stand in for the second factor."),
		edge.To("password_resets", PasswordReset.Type).
			Annotations(hidden(), cascade()).
			Comment("Links by which a new password may be set."),
	}
}

// Indexes returns the index of the order by name.
func (User) Indexes() []ent.Index {
	return []ent.Index{index.Fields("username")}
}
