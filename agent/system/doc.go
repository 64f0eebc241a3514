// Package system describes the machine that an agent runs on and samples its use. It only reads.
package system
