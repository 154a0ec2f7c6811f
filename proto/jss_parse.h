/* JSS (jss.h) read. */
#ifndef PROTO_JSS_PARSE_H
#define PROTO_JSS_PARSE_H

#include "proto/jss.h"

/*
 * Read a text.  NULL: it is none, *why says what is wrong.  Pointers are followed from
 * the root of the text; one that leads nowhere, or to itself, is an error.  checked:
 * the text is known to be UTF-8.
 */
struct jss *jss_parse(struct jss_pool *p, const char *text, size_t len,
	    int checked, const char **why);

#endif
