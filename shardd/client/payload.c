/* Shared counted bytes. */
#include <errno.h>
#include <string.h>

#include "common/spare.h"
#include "proto/ws_deflate.h"
#include "shardd/client/payload.h"

/* Room for len bytes of data.  NULL without memory. */
static struct payload *
payload_new(size_t len)
{
	struct payload	*p;

	if (len > SIZE_MAX - sizeof(*p) - WS_HEAD_MAX) {
		errno = ENOMEM;
		return (NULL);
	}
	if ((p = spare_get(sizeof(*p) + WS_HEAD_MAX + len)) == NULL)
		return (NULL);
	memset(p, 0, sizeof(*p));
	p->refs = 1;
	p->len = len;
	return (p);
}

/* len: which it was made with. */
static void
payload_free(struct payload *p, size_t len)
{
	spare_put(p, sizeof(*p) + WS_HEAD_MAX + len);
}

/* Write the WebSocket header right before the data. */
static void
payload_head(struct payload *p, enum ws_opcode opcode, int compressed)
{
	uint8_t	 head[WS_HEAD_MAX];

	p->opcode = (uint8_t)opcode;
	p->head_len = (uint8_t)ws_head(head, opcode, p->len, compressed);
	memcpy(p->bytes + WS_HEAD_MAX - p->head_len, head, p->head_len);
}

struct payload *
payload_frame_empty(size_t len)
{
	struct payload	*p;

	if ((p = payload_new(len)) != NULL)
		payload_head(p, WS_BINARY, 0);
	return (p);
}

struct payload *
payload_frame(enum ws_opcode opcode, struct slice data)
{
	struct payload	*p;

	if ((p = payload_new(data.len)) == NULL)
		return (NULL);
	payload_head(p, opcode, 0);
	if (data.len > 0)
		memcpy(p->bytes + WS_HEAD_MAX, data.data, data.len);
	return (p);
}

struct payload *
payload_raw(struct slice data)
{
	struct payload	*p;

	if ((p = payload_new(data.len)) == NULL)
		return (NULL);
	if (data.len > 0)
		memcpy(p->bytes + WS_HEAD_MAX, data.data, data.len);
	return (p);
}

/* NULL: it stays as it is. */
static struct payload *
payload_deflate(const struct payload *p, unsigned bits)
{
	struct payload	*z, *small = NULL;
	size_t		 n;

	if ((z = payload_new(p->len)) == NULL)
		return (NULL);
	n = ws_deflate(z->bytes + WS_HEAD_MAX, p->len, bits, payload_data(p));
	if (n > 0 && (small = payload_new(n)) != NULL) {
		memcpy(small->bytes + WS_HEAD_MAX, z->bytes + WS_HEAD_MAX, n);
		small->form = (uint8_t)bits;
		payload_head(small, (enum ws_opcode)p->opcode, 1);
	}
	payload_free(z, p->len);
	return (small);
}

struct payload *
payload_deflated(struct payload *p, unsigned bits)
{
	struct payload	*z;

	if ((p->opcode != WS_TEXT && p->opcode != WS_BINARY) ||
	    p->len < WS_DEFLATE_MIN || p->len > WS_DEFLATE_MAX)
		return (p);
	if ((z = payload_twin(p, bits)) != NULL)
		return (z);
	if (p->stiff)
		return (p);
	if ((z = payload_deflate(p, bits)) == NULL) {
		p->stiff = 1;
		return (p);
	}
	z->twin = p->twin;
	p->twin = z;
	return (z);
}

struct payload *
payload_twin(const struct payload *p, unsigned form)
{
	struct payload	*z = p->twin;

	while (z != NULL && z->form != form)
		z = z->twin;
	return (z);
}

struct payload *
payload_formed(unsigned form, enum ws_opcode opcode, struct slice data)
{
	struct payload	*p;

	if ((p = payload_raw(data)) == NULL)
		return (NULL);
	p->form = (uint8_t)form;
	p->opcode = (uint8_t)opcode;
	return (p);
}

struct payload *
payload_add_twin(struct payload *p, unsigned form, struct slice data)
{
	struct payload	*z;

	z = payload_formed(form, (enum ws_opcode)p->opcode, data);
	if (z == NULL)
		return (NULL);
	z->twin = p->twin;
	p->twin = z;
	return (z);
}

struct payload *
payload_plain(struct payload *p)
{
	struct payload	*z;

	if (p->head_len == 0)
		return (p);
	if ((z = payload_twin(p, FORM_PLAIN)) != NULL)
		return (z);
	if ((z = spare_zero(sizeof(*z))) == NULL)
		return (NULL);
	z->form = FORM_PLAIN;
	z->opcode = p->opcode;
	z->len = p->len;
	z->of = p;
	z->twin = p->twin;
	p->twin = z;
	return (z);
}

struct payload *
payload_ref(struct payload *p)
{
	(p->of != NULL ? p->of : p)->refs++;
	return (p);
}

void
payload_unref(struct payload *p)
{
	struct payload	*z;

	p = p->of != NULL ? p->of : p;
	if (--p->refs > 0)
		return;
	while ((z = p->twin) != NULL) {
		p->twin = z->twin;
		if (z->of != NULL) {
			spare_put(z, sizeof(*z));
			continue;
		}
		z->twin = NULL;		/* it may outlive p in some outbox */
		payload_unref(z);
	}
	payload_free(p, p->len);
}
