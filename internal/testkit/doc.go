// Package testkit gives tests the real things that they need: stores on both databases, and a private PostgreSQL that
// is started once for each test process and gone with it. Only tests import it.
//
// Where something cannot be had, a test is skipped by a reason that names it; with CATALYST_TEST_REQUIRE=all it fails.
package testkit
