/* Frames between the nodes of a cluster. */
#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "proto/bus_frame.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define BUS_HEAD	49		/* bytes before the node's name */

/* What only those with the key can make of a channel and len bytes.  0 or -1. */
static int
bus_frame_mac(unsigned char mac[BUS_MAC], struct slice channel,
    const char *data, size_t len, struct slice key)
{
	static EVP_MAC	*hmac;
	EVP_MAC_CTX	*c;
	OSSL_PARAM	 params[2];
	unsigned char	 n[8];
	size_t		 out;
	int		 rv = -1;

	if (hmac == NULL && (hmac = EVP_MAC_fetch(NULL, "HMAC", NULL)) == NULL)
		return (-1);
	if ((c = EVP_MAC_CTX_new(hmac)) == NULL)
		return (-1);
	params[0] = OSSL_PARAM_construct_utf8_string("digest",
	    (char *)(uintptr_t)"SHA256", 0);
	params[1] = OSSL_PARAM_construct_end();
	bytes_put_be64(n, channel.len);
	if (EVP_MAC_init(c, (const unsigned char *)key.data, key.len, params) &&
	    EVP_MAC_update(c, n, sizeof(n)) &&
	    EVP_MAC_update(c, (const unsigned char *)channel.data,
	    channel.len) &&
	    EVP_MAC_update(c, (const unsigned char *)data, len) &&
	    EVP_MAC_final(c, mac, &out, BUS_MAC) && out == BUS_MAC)
		rv = 0;
	EVP_MAC_CTX_free(c);
	return (rv);
}

void
bus_frame_encode(struct buf *b, const struct bus_frame *f, struct slice head,
    struct slice payload, struct slice channel, struct slice key)
{
	size_t	 start = b->len;
	char	 h[BUS_HEAD] = { 'K', BUS_FORMAT };
	char	*mac;

	h[2] = (char)f->kind;
	h[3] = (char)f->flags;
	bytes_put_be32(h + 4, f->slot);
	bytes_put_be64(h + 8, f->incarnation);
	bytes_put_be64(h + 16, f->session);
	bytes_put_be64(h + 24, f->n);
	bytes_put_be64(h + 32, f->pos);
	bytes_put_be64(h + 40, f->ack);
	h[48] = (char)f->node.len;
	buf_add(b, h, sizeof(h));
	buf_add(b, f->node.data, f->node.len);
	buf_add(b, head.data, head.len);
	buf_add(b, payload.data, payload.len);
	if (key.len == 0 || b->failed)
		return;
	if ((mac = buf_reserve(b, BUS_MAC)) == NULL)
		return;
	if (bus_frame_mac((unsigned char *)mac, channel, b->data + start,
	    b->len - start, key) == -1)
		b->failed = 1;
	else
		b->len += BUS_MAC;
}

enum bus_fault
bus_frame_decode(struct bus_frame *f, struct slice data, struct slice channel,
    struct slice key)
{
	const unsigned char	*h = (const unsigned char *)data.data;
	unsigned char		 mac[BUS_MAC];
	size_t			 len = data.len, node_len;

	memset(f, 0, sizeof(*f));
	if (key.len > 0) {
		if (len < BUS_MAC)
			return (BUS_FORGED);
		len -= BUS_MAC;
		if (bus_frame_mac(mac, channel, data.data, len, key) == -1 ||
		    CRYPTO_memcmp(mac, data.data + len, BUS_MAC) != 0)
			return (BUS_FORGED);
	}
	if (len < BUS_HEAD || h[0] != 'K' || h[1] != BUS_FORMAT ||
	    h[2] == 0 || h[2] >= BUS_NKINDS)
		return (BUS_GARBLED);
	node_len = h[48];
	if (node_len == 0 || node_len > NODE_MAX || node_len > len - BUS_HEAD ||
	    len - BUS_HEAD - node_len > BUS_FRAME_MAX ||
	    bytes_get_be32(h + 4) >= SLOTS_MAX)
		return (BUS_GARBLED);
	f->kind = (enum bus_kind)h[2];
	f->flags = h[3];
	f->slot = bytes_get_be32(h + 4);
	f->incarnation = bytes_get_be64(h + 8);
	f->session = bytes_get_be64(h + 16);
	f->n = bytes_get_be64(h + 24);
	f->pos = bytes_get_be64(h + 32);
	f->ack = bytes_get_be64(h + 40);
	f->node = slice_of(h + BUS_HEAD, node_len);
	f->body = slice_of(h + BUS_HEAD + node_len, len - BUS_HEAD - node_len);
	return (BUS_OK);
}

/* The buffer as a string that is the caller's. */
static char *
bus_channel(struct buf *b)
{
	if (buf_add(b, "", 1) == -1) {
		buf_clear(b);
		errno = ENOMEM;
		return (NULL);
	}
	return (b->data);
}

char *
bus_channel_shard(const char *prefix, int db, struct slice address)
{
	struct buf	b = { 0 };

	buf_addf(&b, "%sbus:%d:shard:", prefix, db);
	keys_name(&b, address);
	return (bus_channel(&b));
}

char *
bus_channel_room(const char *prefix, int db, struct slice group,
    struct slice app, struct slice node)
{
	struct buf	b = { 0 };

	buf_addf(&b, "%sbus:%d:group:", prefix, db);
	keys_name(&b, group);
	buf_adds(&b, ":");
	keys_name(&b, app);
	buf_adds(&b, ":");
	keys_name(&b, node);
	return (bus_channel(&b));
}
