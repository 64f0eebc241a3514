// Package text checks what people write and cleans what machines say, so that both databases can keep it and every
// screen can show it. Lengths are in bytes, as the columns' are. Services call it before they store foreign text; it
// returns BAD_USER_INPUT faults.
package text
