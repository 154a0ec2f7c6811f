/* The name of a call, which both sides compute from its text. */
#ifndef SHARDD_APE_QUERYID_H
#define SHARDD_APE_QUERYID_H

#include <stddef.h>
#include <stdint.h>

#define QUERYID_SIZE	8		/* seven characters, terminated */

/* Of a text that is UTF-8: each unit of its UTF-16 counts. */
uint32_t queryid_hash(const char *text, size_t len);
void	 queryid_text(char dst[QUERYID_SIZE], uint32_t hash);

/* n characters of the alphabet that such names are written in, terminated. */
void	 queryid_random(char *dst, size_t n);
/* Are these n characters of that alphabet? */
int	 queryid_is(const char *s, size_t len, size_t n);

#endif
