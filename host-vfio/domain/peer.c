#include "domain/peer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "domain/devices.h"
#include "domain/firmware_config.h"
#include "domain/tree.h"

char *peer_alias(const char *prefix, const char *guest) {
	struct text text;
	text_init(&text);
	fputs(prefix, text.stream);
	/* libvirt takes letters, digits, "-" and "_"; names have dots, too. */
	for (const char *at = guest; *at != '\0'; at++) {
		bool plain = isalnum((unsigned char)*at) || *at == '-' || *at == '_';
		fprintf(text.stream, plain ? "%c" : "_%02x", (unsigned char)*at);
	}
	return text_take(&text);
}

bool peer_is_heap(xmlNode *device) {
	char *alias = tree_get(tree_child(device, "alias"), "name");
	bool heap = alias != NULL && strncmp(alias, PEER_HEAP, strlen(PEER_HEAP)) == 0;
	free(alias);
	return heap;
}

static void put_channel(xmlNode *devices, const struct domain_peer *peer) {
	char *name = must_print(PEER_PORT_PREFIX "%s", peer->guest),
	     *alias = peer_alias(PEER_CHANNEL, peer->guest);
	xmlNode *channel = devices_create_port(name, "connect", peer->channel);
	xmlNode *reconnect = tree_add(tree_child(channel, "source"), "reconnect", NULL);
	tree_set(reconnect, "enabled", "yes");
	tree_set(reconnect, "timeout", "1");
	devices_put(devices, channel, alias);
	free(name);
	free(alias);
}

int peer_put(xmlNode *root, const struct domain_peer *peer, struct error *error) {
	xmlNode *devices = tree_need(root, "devices");
	if (peer->heap.kind != DOMAIN_HEAP_UNSET) {
		xmlNode *heap = heap_device_create(&peer->heap, error);
		if (heap == NULL) {
			return -1;
		}
		char *alias = peer_alias(PEER_HEAP, peer->guest);
		devices_put(devices, heap, alias);
		free(alias);
	}
	if (peer->channel != NULL) {
		put_channel(devices, peer);
	}
	if (peer->key != NULL) {
		char *name = must_print(PEER_KEY_PREFIX "%s", peer->guest);
		firmware_config_set_file(root, name, peer->key);
		free(name);
	}
	return 0;
}

void peer_remove(xmlNode *root, const char *guest) {
	xmlNode *devices = tree_child(root, "devices");
	char *heap = peer_alias(PEER_HEAP, guest), *channel = peer_alias(PEER_CHANNEL, guest);
	char *key = must_print(PEER_KEY_PREFIX "%s", guest);
	if (devices != NULL) {
		tree_remove(devices_find(devices, heap));
		tree_remove(devices_find(devices, channel));
	}
	firmware_config_remove(root, key);
	free(key);
	free(channel);
	free(heap);
}
