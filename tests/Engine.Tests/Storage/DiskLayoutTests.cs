using System.Runtime.CompilerServices;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Storage;

/// <summary>The byte tables of docs/format.md: sizes and offsets are the format, so they are proved, not assumed.</summary>
[TestFixture]
internal sealed class DiskLayoutTests
{
    private delegate ref TField FieldOf<TStruct, TField>(ref TStruct structure);

    [Test]
    public void A_map_entry_is_a_place_and_a_checksum()
    {
        Table<MapEntry> table = new(16);
        table.Field(0, 8, (ref s) => ref s.Place);
        table.Field(8, 8, (ref s) => ref s.Checksum);
        table.IsComplete();
    }

    [Test]
    public void A_space_entry_has_no_padding()
    {
        Table<SpaceEntry> table = new(16);
        table.Field(0, 8, (ref s) => ref s.Checksum);
        table.Field(8, 4, (ref s) => ref s.FreePages);
        table.Field(12, 1, (ref s) => ref s.Slot);
        table.Field(13, 1, (ref s) => ref s.Written);
        table.Field(14, 2, (ref s) => ref s.Reserved);
        table.IsComplete();
    }

    [Test]
    public void A_root_slot_is_one_page_with_its_groups_at_256()
    {
        Table<Superblock> table = new(4096);
        table.Field(0, 8, (ref s) => ref s.Magic);
        table.Field(8, 4, (ref s) => ref s.Version);
        table.Field(12, 4, (ref s) => ref s.PageSize);
        table.Field(16, 8, (ref s) => ref s.Checksum);
        table.Field(24, 8, (ref s) => ref s.Sequence);
        table.Field(32, 8, (ref s) => ref s.ParentChecksum);
        table.Field(40, 8, (ref s) => ref s.FileLength);
        table.Field(48, 16, (ref s) => ref s.StoreId);
        table.Field(64, 8, (ref s) => ref s.TimeTicks);
        table.Field(72, 16, (ref s) => ref s.Catalog);
        table.Field(88, 8, (ref s) => ref s.AllocatedPages);
        table.Field(96, 8, (ref s) => ref s.CatalogPages);
        table.Field(104, 152, (ref s) => ref s.Reserved);
        table.Field(256, 2048, (ref s) => ref s.Groups);
        table.EndsAt(2304);
    }

    [Test]
    public void A_heap_record_has_its_name_inside()
    {
        Table<HeapRecord> table = new(256);
        table.Field(0, 4, (ref s) => ref s.Id);
        table.Field(4, 4, (ref s) => ref s.NameLength);
        table.Field(8, 64, (ref s) => ref s.Name);
        table.Field(72, 16, (ref s) => ref s.MapRoot);
        table.Field(88, 8, (ref s) => ref s.MappedPages);
        table.Field(96, 8, (ref s) => ref s.CreatedTicks);
        table.Field(104, 8, (ref s) => ref s.Number);
        table.Field(112, 8, (ref s) => ref s.OriginNumber);
        table.Field(120, 4, (ref s) => ref s.OriginId);
        table.Field(124, 4, (ref s) => ref s.KeepLast);
        table.Field(128, 8, (ref s) => ref s.KeepForTicks);
        table.Field(136, 56, (ref s) => ref s.Receive);
        table.Field(192, 8, (ref s) => ref s.BranchNumber);
        table.EndsAt(200);
    }

    [Test]
    public void A_receive_record_has_no_padding()
    {
        Table<ReceiveRecord> table = new(ReceiveRecord.Size);
        table.Field(0, 16, (ref s) => ref s.ToContentId);
        table.Field(16, 16, (ref s) => ref s.FromContentId);
        table.Field(32, 8, (ref s) => ref s.ToNumber);
        table.Field(40, 8, (ref s) => ref s.NextPage);
        table.Field(48, 8, (ref s) => ref s.Pages);
        table.IsComplete();
    }

    [Test]
    public void A_checkpoint_record_has_no_padding()
    {
        Table<CheckpointRecord> table = new(256);
        table.Field(0, 4, (ref s) => ref s.HeapId);
        table.Field(4, 4, (ref s) => ref s.Flags);
        table.Field(8, 8, (ref s) => ref s.Number);
        table.Field(16, 8, (ref s) => ref s.TimeTicks);
        table.Field(24, 8, (ref s) => ref s.Pages);
        table.Field(32, 8, (ref s) => ref s.Bytes);
        table.Field(40, 8, (ref s) => ref s.PauseTicks);
        table.Field(48, 8, (ref s) => ref s.DurationTicks);
        table.Field(56, 16, (ref s) => ref s.MapRoot);
        table.Field(72, 8, (ref s) => ref s.MappedPages);
        table.Field(80, 4, (ref s) => ref s.NameLength);
        table.Field(84, 4, (ref s) => ref s.Reserved);
        table.Field(88, 64, (ref s) => ref s.Name);
        table.Field(152, 16, (ref s) => ref s.ContentId);
        table.EndsAt(168);
    }

    [Test]
    public void A_catalog_starts_with_a_header_and_its_tables_do_not_overlap()
    {
        Table<CatalogHeader> table = new(64);
        table.Field(0, 8, (ref s) => ref s.Magic);
        table.Field(8, 4, (ref s) => ref s.HeapSlots);
        table.Field(12, 4, (ref s) => ref s.CheckpointSlots);
        table.Field(16, 4, (ref s) => ref s.ReclaimCount);
        table.Field(20, 4, (ref s) => ref s.NextHeapId);
        table.Field(24, 8, (ref s) => ref s.SharedPages);
        table.Field(32, 8, (ref s) => ref s.Sequence);
        table.EndsAt(40);

        Table<ReclaimRecord> reclaim = new(32);
        reclaim.Field(0, 16, (ref s) => ref s.Node);
        reclaim.Field(16, 4, (ref s) => ref s.Level);
        reclaim.EndsAt(20);

        Assert.Multiple(() =>
        {
            Assert.That(CatalogLayout.HeaderAddress + CatalogHeader.Size, Is.LessThanOrEqualTo(CatalogLayout.HeapsAddress));
            Assert.That(CatalogLayout.HeapAddress(CatalogLayout.HeapCountMax), Is.LessThanOrEqualTo(CatalogLayout.CheckpointsAddress));
            Assert.That(CatalogLayout.CheckpointAddress(CatalogLayout.CheckpointCountMax), Is.LessThanOrEqualTo(CatalogLayout.ReclaimAddress));
            Assert.That(CatalogLayout.ReclaimEntryAddress(CatalogLayout.ReclaimCountMax), Is.LessThanOrEqualTo(CatalogLayout.CountsAddress));
            Assert.That(CatalogLayout.CountAddress(FileLayout.FileLengthMax / FileLayout.PageSize), Is.LessThanOrEqualTo(PersistentHeap.AddressSpaceBytes));
        });
    }

    [Test]
    public void The_catalog_of_version_1_was_one_page_of_heaps_and_history()
    {
        Table<Version1Catalog> table = new(4096);
        table.Field(0, 8, (ref s) => ref s.Magic);
        table.Field(8, 8, (ref s) => ref s.Sequence);
        table.Field(16, 4, (ref s) => ref s.HeapCount);
        table.Field(20, 4, (ref s) => ref s.HistoryCount);
        table.Field(24, 40, (ref s) => ref s.Reserved);
        table.Field(64, 1024, (ref s) => ref s.Heaps);
        table.Field(1088, 2880, (ref s) => ref s.History);
        table.EndsAt(3968);
    }

    [Test]
    public void A_holder_record_and_a_note_each_fit_a_sector()
    {
        Table<HolderRecord> holder = new(512);
        holder.Field(0, 8, (ref s) => ref s.Magic);
        holder.Field(8, 8, (ref s) => ref s.Checksum);
        holder.Field(16, 8, (ref s) => ref s.SinceTicks);
        holder.Field(24, 4, (ref s) => ref s.ProcessId);
        holder.Field(28, 4, (ref s) => ref s.HostLength);
        holder.Field(32, 256, (ref s) => ref s.Host);
        holder.EndsAt(288);

        Table<NoteRecord> note = new(512);
        note.Field(0, 8, (ref s) => ref s.Magic);
        note.Field(8, 8, (ref s) => ref s.Checksum);
        note.Field(16, 8, (ref s) => ref s.Sequence);
        note.Field(24, 4, (ref s) => ref s.Length);
        note.Field(28, 4, (ref s) => ref s.Reserved);
        note.Field(32, 256, (ref s) => ref s.Bytes);
        note.EndsAt(288);
    }

    [Test]
    public void Notes_of_heaps_fill_their_pages_and_the_slots_of_a_pair_are_in_different_ones()
    {
        Table<HeapNoteRecord> note = new(128);
        note.Field(0, 8, (ref s) => ref s.Checksum);
        note.Field(8, 8, (ref s) => ref s.Sequence);
        note.Field(16, 8, (ref s) => ref s.Lineage);
        note.Field(24, 4, (ref s) => ref s.HeapId);
        note.Field(28, 4, (ref s) => ref s.Length);
        note.Field(32, 96, (ref s) => ref s.Bytes);
        note.IsComplete();

        long[] first = [.. Enumerable.Range(0, FileLayout.HeapNoteCountMax).Select(pair => FileLayout.HeapNoteOffset(pair, 0))];
        long[] second = [.. Enumerable.Range(0, FileLayout.HeapNoteCountMax).Select(pair => FileLayout.HeapNoteOffset(pair, 1))];
        long start = FileLayout.HeapNotePage * FileLayout.PageSize;
        Assert.That(FileLayout.HeapNoteCountMax, Is.EqualTo(64));
        Assert.That(first.Concat(second).Order(), Is.EqualTo(Enumerable.Range(0, 128).Select(i => start + (i * 128L))));
        Assert.That(first.Zip(second, (a, b) => (a / FileLayout.PageSize) != (b / FileLayout.PageSize)), Is.All.True);
    }

    [Test]
    public void Fixed_places_do_not_overlap()
    {
        Assert.Multiple(() =>
        {
            Assert.That(FileLayout.SuperblockPage + FileLayout.SlotCount, Is.LessThanOrEqualTo(FileLayout.HolderPage));
            Assert.That(FileLayout.HolderPage + 1, Is.LessThanOrEqualTo(FileLayout.NotePage));
            Assert.That(FileLayout.NotePage + FileLayout.NoteSlotCount, Is.LessThanOrEqualTo(FileLayout.BitmapPage));
            Assert.That(FileLayout.BitmapPage + FileLayout.SlotCount, Is.LessThanOrEqualTo(FileLayout.DirectoryPage));
            Assert.That(FileLayout.DirectoryPage + FileLayout.SlotCount, Is.LessThanOrEqualTo(FileLayout.HeapNotePage));
            Assert.That(FileLayout.HeapNotePage + FileLayout.HeapNotePages, Is.LessThanOrEqualTo(FileLayout.RegionReservedPages));
        });
    }

    [Test]
    public void Sizes_that_belong_together_agree()
    {
        Assert.Multiple(() =>
        {
            Assert.That(1 << FileLayout.PageShift, Is.EqualTo(FileLayout.PageSize));
            Assert.That(PersistentHeap.PageSize, Is.EqualTo(FileLayout.PageSize));
            Assert.That(1 << FileLayout.RegionShift, Is.EqualTo(FileLayout.RegionPages));
            Assert.That(1 << FileLayout.GroupShift, Is.EqualTo(FileLayout.GroupRegions));
            Assert.That(1 << FileLayout.NodeShift, Is.EqualTo(FileLayout.NodeEntries));
            Assert.That(Unsafe.SizeOf<DirectoryEntries>(), Is.EqualTo(FileLayout.PageSize));
            Assert.That(FileLayout.NodeEntries * MapEntry.Size, Is.EqualTo(FileLayout.PageSize));
            Assert.That((FileLayout.NodeLevels * FileLayout.NodeShift) + FileLayout.PageShift, Is.GreaterThanOrEqualTo(48));
            Assert.That(FileLayout.FileLengthMax, Is.EqualTo(4L << 40));
            Assert.That(FileLayout.FileLengthInitial % FileLayout.PageSize, Is.Zero);
        });
    }

    [Test]
    public void Magic_numbers_read_as_text_in_the_file()
    {
        Assert.Multiple(() =>
        {
            Assert.That(BitConverter.GetBytes(FileLayout.SuperblockMagic), Is.EqualTo("EVERHEAP"u8.ToArray()));
            Assert.That(BitConverter.GetBytes(CatalogLayout.HeaderMagic), Is.EqualTo("EHCATAL2"u8.ToArray()));
            Assert.That(BitConverter.GetBytes(Version1Catalog.ExpectedMagic), Is.EqualTo("EHCATLOG"u8.ToArray()));
            Assert.That(BitConverter.GetBytes(FileLayout.HolderMagic), Is.EqualTo("EHHOLDER"u8.ToArray()));
            Assert.That(BitConverter.GetBytes(FileLayout.NoteMagic), Is.EqualTo("EHNOTE01"u8.ToArray()));
        });
    }

    /// <summary>Fields in order, each starting where the one before it ended.</summary>
    private sealed class Table<TStruct>
        where TStruct : unmanaged
    {
        private TStruct _instance;
        private long _end;

        public Table(int size)
        {
            Assert.That(Unsafe.SizeOf<TStruct>(), Is.EqualTo(size), $"size of {typeof(TStruct).Name}");
        }

        public void Field<TField>(int offset, int size, FieldOf<TStruct, TField> field)
            where TField : unmanaged
        {
            long found = Unsafe.ByteOffset(ref Unsafe.As<TStruct, byte>(ref _instance), ref Unsafe.As<TField, byte>(ref field(ref _instance)));
            string name = $"{typeof(TStruct).Name} at {offset}";
            Assert.That(found, Is.EqualTo(offset), $"{name}: offset");
            Assert.That(found, Is.EqualTo(_end), $"{name}: padding before it");
            Assert.That(Unsafe.SizeOf<TField>(), Is.EqualTo(size), $"{name}: size");
            _end = found + size;
        }

        public void IsComplete() => EndsAt(Unsafe.SizeOf<TStruct>());

        /// <summary>What is left up to the size of the struct is reserved.</summary>
        public void EndsAt(int end) => Assert.That(_end, Is.EqualTo(end), $"end of the fields of {typeof(TStruct).Name}");
    }
}
