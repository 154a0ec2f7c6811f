/* JSS (jss.h) written again. */
#ifndef PROTO_JSS_WRITE_H
#define PROTO_JSS_WRITE_H

#include "proto/jss.h"

/*
 * What stands for binary (JSS_BYTES, _BLOB, _LINK): the name under which a client
 * fetches it, or NULL for the text as it is.
 */
typedef const char *jss_link_cb(const struct jss *v, void *arg);

/*
 * Append "name":value, with the value's tag in the name.  The name is that under which
 * the value stands in the root of what is written: pointers begin with it.  What was
 * read under this name in the root of its text is written as it came; elsewhere, what a
 * pointer leads to is written in its place, unless it is around the pointer.
 * Links and files carry their tag twice, for a client's decoder takes one off before
 * it looks for them.  links may be NULL.  b->failed: no memory, or beyond b->max.
 */
void	 jss_write_member(struct buf *b, const char *name, const struct jss *v,
	    jss_link_cb *links, void *arg);
/* Append it quoted. */
void	 jss_write_string(struct buf *b, const char *s, size_t len);

#endif
