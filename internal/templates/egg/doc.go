// Package egg reads the templates of Pterodactyl (PTDL_v1, PTDL_v2) and Pelican (PLCN_v1 to PLCN_v3), which call them
// eggs, and writes PTDL_v2.
//
// Import reports on every field of an egg: what was understood, what works a little differently here, and what has no
// meaning here. A template that it returns is valid: what an egg holds that could not be stored is left out and reported.
package egg
