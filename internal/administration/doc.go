// Package administration answers how the whole of a panel is doing: how much of everything there is, and whether what it
// is made of answers. It owns no data; everything it says needs admin.read.
package administration
