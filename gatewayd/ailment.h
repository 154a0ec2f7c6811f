/*
 * What speaks against the new program of an upgrade.  Each question puts a sentence
 * into why and returns 1, or returns 0: nothing does.
 */
#ifndef GATEWAYD_AILMENT_H
#define GATEWAYD_AILMENT_H

#include <stddef.h>

struct pair;
struct shard;
struct upgrade;

/* p->new is not ready, and has ended or will not be. */
int	 ailment_start(const struct upgrade *u, const struct pair *p, char *why,
	    size_t size);
/* s, which is about to be buried, was one of the new ones, and had been ready. */
int	 ailment_death(const struct upgrade *u, const struct shard *s, char *why,
	    size_t size);
/* Connections of the new ones end with errors, more than those of the old ones did. */
int	 ailment_errors(const struct upgrade *u, char *why, size_t size);
/* Nobody of p->old can move to the new ones at all, though the old program could. */
int	 ailment_speech(const struct upgrade *u, const struct pair *p, char *why,
	    size_t size);
/* Its connections were to move, and many did not that could have. */
int	 ailment_stuck(const struct upgrade *u, const struct pair *p, char *why,
	    size_t size);

#endif
