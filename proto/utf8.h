/* UTF-8 (RFC 3629), resumable at any byte. */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_OK		0	/* between characters */
#define UTF8_BAD	1

/*
 * Feed len bytes; state is UTF8_OK at first.  Returns the new state: UTF8_OK,
 * UTF8_BAD (as soon as no continuation can make it right), or any other value:
 * within a character.  Runs of ASCII are checked a word at a time.
 */
uint32_t utf8_feed(uint32_t state, const void *data, size_t len);
int	 utf8_valid(const void *data, size_t len);

#endif
