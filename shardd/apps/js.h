/* JSON as JavaScript reads and prints it, over jansson. */
#ifndef SHARDD_APPS_JS_H
#define SHARDD_APPS_JS_H

#include <stdio.h>

#include <jansson.h>

#define JS_DEPTH_MAX	2000	/* objects and arrays within each other */
#define JS_NUMBER	48	/* bytes that a number takes, terminated */

/*
 * What JSON.stringify() writes, and other JSON; the caller's.  Numbers are doubles.
 * Half a surrogate pair, which is no UTF-8, becomes U+FFFD.  NULL: it is not JSON,
 * or, with *why, words for who sent it: what in it cannot be carried.  depth:
 * objects and arrays within each other, at most JS_DEPTH_MAX.
 */
json_t	*js_parse(const char *data, size_t len, int depth, const char **why);
/* A copy of JSON in which half surrogate pairs are U+FFFD, of the same length,
 * malloc'd; NULL if there are none. */
char	*js_mend(const char *data, size_t len);
/* JSON.stringify(): shortest numbers that read back the same, UTF-8 as it is. */
void	 js_write(FILE *f, const json_t *v);
void	 js_write_string(FILE *f, const char *s, size_t len);
void	 js_write_chars(FILE *f, const char *s, size_t len);	/* not quoted */
/* String(v), ECMA-262 6.1.6.1.20: shortest, 1e+21, 2.5e-7. */
void	 js_number(char dst[JS_NUMBER], double v);
/* Number(s), ECMA-262 7.1.4.1.1: NaN if it is none. */
double	 js_to_number(const char *s, size_t len);

/* A growing text: js_begin, write to the FILE, js_end, js_clear.  It may not be
 * moved. */
struct js_text {
	FILE	*f;
	char	*data;		/* after js_end: terminated, until js_clear */
	size_t	 len;
	int	 kept;		/* f is used again */
};
int	 js_begin(struct js_text *t);		/* 0, or -1 */
int	 js_end(struct js_text *t);		/* 0, or -1: data is NULL */
void	 js_clear(struct js_text *t);		/* also where one failed */
/* String(v) of what JSON can say; NULL (a missing member) is "undefined". */
void	 js_write_plain(FILE *f, const json_t *v);

#endif
