/* A message on its way to other hosts. */
#include "shardd/events/parcel.h"
#include "shardd/events/post.h"

struct post
post_of(const struct letter *l, unsigned hops)
{
	return ((struct post){ .letter = l, .hops = hops });
}

struct post
post_of_frame(const struct fasttcp_frame *f)
{
	return ((struct post){ .plain = *f });
}

void
post_clear(struct post *p)
{
	buf_clear(&p->text);
	buf_clear(&p->bytes);
}

const struct fasttcp_frame *
post_frame(struct post *p, int kennel)
{
	const struct letter	*l = p->letter;

	if (l != NULL && kennel) {
		if (p->parcel.type == FASTTCP_UNKNOWN)
			parcel_write(&p->bytes, l, p->hops);
		p->parcel = (struct fasttcp_frame){ .type = FASTTCP_PARCEL,
		    .data_type = FASTTCP_BINARY,
		    .data = slice_of(p->bytes.data, p->bytes.len) };
		return (p->bytes.failed ? NULL : &p->parcel);
	}
	if (l != NULL && p->plain.type == FASTTCP_UNKNOWN) {
		letter_write(&p->text, l);
		p->plain = (struct fasttcp_frame){
		    .type = l->whom == WHOM_SOCKETS ? FASTTCP_TO_SOCKET :
		    l->whom == WHOM_ROOMS ? FASTTCP_TO_ROOM : FASTTCP_BROADCAST,
		    .data_type = FASTTCP_OBJECT,
		    .data = slice_of(p->text.data, p->text.len) };
	}
	return (p->text.failed ? NULL : &p->plain);
}
