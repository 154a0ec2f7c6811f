/*
 * The proof that somebody knows a key, without saying it: what a seed becomes under the
 * key, HMAC-SHA-256 in hex.  A seed is made for one connection, so that the proof is good
 * there and nowhere else.
 */
#ifndef PROTO_PROOF_H
#define PROTO_PROOF_H

#include "common/bytes.h"

#define PROOF_SEED	32		/* characters of 0-9A-Za-z: 190 bits */
#define PROOF_LEN	64		/* lower-case hex digits */

/* A fresh seed.  0, or -1 with errno. */
int	 proof_seed(char dst[PROOF_SEED + 1]);
/* 0, or -1: libcrypto has failed. */
int	 proof_make(char dst[PROOF_LEN + 1], struct slice key,
	    struct slice seed);
/* Is it that proof?  Takes the same time wherever it differs. */
int	 proof_right(struct slice proof, struct slice key, struct slice seed);

#endif
