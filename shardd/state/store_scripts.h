/*
 * The scripts of the store, which Redis runs: taking office, writing a batch, writing
 * the whole state, keeping it from expiring.  What each is given stands above it.
 */
#ifndef SHARDD_STORE_SCRIPTS_H
#define SHARDD_STORE_SCRIPTS_H

enum store_script {
	SCRIPT_TAKE, SCRIPT_COMMIT, SCRIPT_RESTORE, SCRIPT_TOUCH,
	SCRIPT_CLAIM, SCRIPT_RELEASE, NSTORE_SCRIPTS
};

extern const char *const store_scripts[NSTORE_SCRIPTS];

#endif
