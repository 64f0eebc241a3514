package accounts

import (
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// maxEmail is the longest address that mail can be sent to (RFC 5321, section 4.5.3.1.3, without the brackets).
const maxEmail = 254

var (
	// usernamePattern leaves out what other places give a meaning: "@" marks an address at sign-in, and SFTP splits
	// its user names at the last dot before a server's identifier.
	usernamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,30}[A-Za-z0-9]$`)
	// languagePattern is the shape of a BCP 47 tag, such as "en" or "pt-BR".
	languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$`)
)

// normalEmail returns an address in the form in which it is stored and compared.
func normalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// checkEmail returns the address in its stored form.
func checkEmail(email string) (string, error) {
	email = normalEmail(email)
	bad := fault.Input("email", "This is not an e-mail address. Write it like name@example.com.")
	if email == "" || len(email) > maxEmail {
		return "", bad
	}
	for _, c := range []byte(email) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),:;<>[\]`, c) >= 0 {
			return "", bad
		}
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || parsed.Name != "" {
		return "", bad
	}
	return email, nil
}

// usernameKey returns a name in the form that makes it unique whatever the case.
func usernameKey(username string) string { return strings.ToLower(strings.TrimSpace(username)) }

// checkUsername returns the name as it is shown.
func checkUsername(field, username string) (string, error) {
	username = strings.TrimSpace(username)
	if !usernamePattern.MatchString(username) {
		return "", fault.Input(field, "A user name has 2 to 32 letters, digits, dots, hyphens or underscores, "+
			"and begins and ends with a letter or a digit.")
	}
	if usernameKey(username) == "system" {
		return "", fault.Input(field, "This user name is reserved. Choose another.")
	}
	return username, nil
}

func checkLanguage(field, language string) error {
	if !languagePattern.MatchString(language) || len(language) > 16 {
		return fault.Input(field, "This is not a language tag. Write it like en or pt-BR.")
	}
	return nil
}

func checkTimeZone(field, zone string) error {
	if zone == "" || zone == "Local" || len(zone) > 64 {
		return fault.Input(field, "This is not a time zone. Write it like UTC or Europe/Berlin.")
	}
	if _, err := time.LoadLocation(zone); err != nil {
		return fault.Input(field, "This is not a time zone. Write it like UTC or Europe/Berlin.")
	}
	return nil
}

// checkLabel returns a name that only people read.
func checkLabel(field, name string, longest int) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > longest || strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) {
		return "", fault.Input(field, "A name has 1 to %d bytes of text on one line.", longest)
	}
	return name, nil
}

// checkText refuses what the databases cannot keep.
func checkText(field, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fault.Input(field, "This is not valid text.")
	}
	return nil
}
