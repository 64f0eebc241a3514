// Package fulldisk gives tests a disk that is full. It needs root; without it the test is skipped, or fails where
// CATALYST_TEST_REQUIRE asks for everything.
package fulldisk
